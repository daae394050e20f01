import keras
import numpy as np
import pytest

from contracts.recipe import tiny_classifier
from roadworthy.models.bridge.equality import check_equal
from roadworthy.models.bridge.translation import to_tf_keras
from roadworthy.models.bridge.weights import copy_to_keras, copy_to_tf_keras
from roadworthy.serving.errors import ModelError


def test_weights_changed_in_the_twin_come_back():
    keras.utils.set_random_seed(3)
    model, other = tiny_classifier(), tiny_classifier()
    copy_to_keras(to_tf_keras(other), model)
    for mine, others in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(mine, others)


def test_an_adapted_normalisation_computes_with_the_copied_statistics():
    image = keras.Input((4, 4, 3))
    layer = keras.layers.Normalization()
    layer.adapt(np.random.default_rng(0).uniform(0, 255, (20, 4, 4, 3)))
    model = keras.Model(image, layer(image))
    check_equal(model, to_tf_keras(model))


def test_a_layer_of_another_shape_is_named():
    def dense(units: int) -> keras.Model:
        image = keras.Input((4,))
        return keras.Model(image, keras.layers.Dense(units, name="scores")(image))

    with pytest.raises(ModelError, match=r"'scores'.*\(4, 2\).*\(4, 3\)"):
        copy_to_tf_keras(dense(2), to_tf_keras(dense(3)))
