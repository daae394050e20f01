import keras
import numpy as np
import pytest

from contracts.recipe import SIDE, tiny_classifier
from roadworthy.models.bridge.equality import check_equal
from roadworthy.models.bridge.translation import to_tf_keras
from roadworthy.serving.errors import ModelError


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(3)
    return tiny_classifier()


@pytest.fixture
def twin(model):
    return to_tf_keras(model)


@pytest.mark.parametrize("layer", ["backbone/stem/conv", "backbone/stem/bn", "backbone/project", "scores"])
def test_the_first_layer_that_differs_is_named(layer, model, twin):
    weight = twin.get_layer(layer).weights[0]
    weight.assign(weight * 1.01)
    with pytest.raises(ModelError, match=f"random inputs, first at layer '{layer}'"):
        check_equal(model, twin)


def test_a_difference_is_found_even_where_scores_are_saturated():
    keras.utils.set_random_seed(3)
    model = tiny_classifier()
    model.get_layer("scores").bias.assign([0, 10_000])
    twin = to_tf_keras(model)
    twin.get_layer("backbone/project").weights[0].assign_add(np.full((1, 1, 16, 16), 0.1))
    batch = np.full((1, SIDE, SIDE, 3), 9, np.float32)
    np.testing.assert_array_equal(model(batch), twin(batch))
    with pytest.raises(ModelError, match="'backbone/project'"):
        check_equal(model, twin)


def test_a_difference_that_only_given_images_show_is_found():
    def clipped(*, at: float) -> keras.Model:
        image = keras.Input((4, 4, 3), name="image")
        return keras.Model(image, keras.layers.ReLU(at, name="clip")(image))

    model, twin = clipped(at=300), to_tf_keras(clipped(at=400))
    check_equal(model, twin, images=np.full((1, 4, 4, 3), 299, np.float32))
    with pytest.raises(ModelError, match="given inputs, first at layer 'clip'"):
        check_equal(model, twin, images=np.full((1, 4, 4, 3), 399, np.float32))


def test_not_a_number_is_a_difference(model, twin):
    twin.get_layer("backbone/project").weights[1].assign(np.full(16, np.nan, np.float32))
    with pytest.raises(ModelError, match="'backbone/project'"):
        check_equal(model, twin)


@pytest.mark.parametrize(("layer", "change", "allowed"), [("inner", 5e-4, True), ("scores", 5e-4, False)])
def test_outputs_are_held_closer_than_what_lies_inside(layer, change, allowed):
    def built() -> keras.Model:
        image = keras.Input((4, 4, 3), name="image")
        inner = keras.layers.Dense(2, kernel_initializer="zeros", name="inner")(image)
        return keras.Model(image, keras.layers.Dense(2, kernel_initializer="zeros", name="scores")(inner))

    model = built()
    twin = to_tf_keras(model)
    twin.get_layer(layer).bias.assign([change, change])
    if allowed:
        check_equal(model, twin)
    else:
        with pytest.raises(ModelError, match="'scores'"):
            check_equal(model, twin)


def test_a_later_call_of_a_shared_layer_is_held_to_the_model_too():
    image = keras.Input((4, 4, 3), name="image")
    shared, other = keras.layers.Dense(3, name="shared"), keras.layers.Dense(3, name="shared")
    model = keras.Model(image, shared(shared(image)))
    twin = to_tf_keras(keras.Model(image, other(image)))
    twin.set_weights(model.get_weights())
    with pytest.raises(ModelError, match="the model's output"):
        check_equal(model, twin)


@pytest.mark.parametrize(("policy", "change", "allowed"), [("float16", 1e-3, True), ("float16", 0.1, False)])
def test_half_precision_is_held_to_its_own_spacing(policy, change, allowed):
    image = keras.Input((4, 4, 3), name="image")
    dense = keras.layers.Dense(2, kernel_initializer="zeros", dtype=f"mixed_{policy}", name="scores")
    model = keras.Model(image, dense(image))
    twin = to_tf_keras(model)
    twin.get_layer("scores").bias.assign([change, change])
    if allowed:
        check_equal(model, twin)
    else:
        with pytest.raises(ModelError, match="'scores'"):
            check_equal(model, twin)
