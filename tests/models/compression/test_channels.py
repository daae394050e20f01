import dataclasses

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.recipe import tiny_classifier
from roadworthy.models.backbones import efficientnet_lite0
from roadworthy.models.bridge.graph import leaves
from roadworthy.models.compression.channels.coupling import couple
from roadworthy.models.compression.channels.narrow import narrow
from roadworthy.models.compression.channels.plan import make_plan
from roadworthy.models.compression.channels.step import channels
from roadworthy.models.compression.recipe import Channels
from roadworthy.models.export import load_keras, save_keras
from roadworthy.models.measure.multiply_adds import multiply_adds
from roadworthy.serving.errors import DataError, ModelError

layers, applications = keras.layers, keras.applications
HALF = Channels(remove=0.5, multiple_of=4)


def squeeze_excite() -> keras.Model:
    image = keras.Input((16, 16, 3))
    features = layers.Conv2D(16, 3, padding="same")(layers.Rescaling(1 / 255)(image))
    squeezed = layers.GlobalAveragePooling2D(keepdims=True)(features)
    gate = layers.Conv2D(16, 1, activation="sigmoid")(layers.Conv2D(8, 1, activation="relu")(squeezed))
    features = layers.Multiply()([features, gate])
    return keras.Model(image, layers.Dense(3, activation="softmax")(layers.Flatten()(features)))


def concatenated() -> keras.Model:
    image = keras.Input((16, 16, 3))
    features = layers.Rescaling(1 / 255)(image)
    first = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(features))
    second = layers.SeparableConv2D(16, 3, padding="same")(first)
    both = layers.Concatenate()([first, second])
    both = layers.MaxPooling2D()(layers.Conv2D(8, 1)(both))
    return keras.Model(image, layers.Dense(3, activation="softmax")(layers.Flatten()(both)))


MODELS = {
    "tiny": tiny_classifier,
    "squeeze-excite": squeeze_excite,
    "concatenated": concatenated,
    "EfficientNet-Lite0": lambda: efficientnet_lite0.architecture(image_size=32, top=True),
    "MobileNetV2": lambda: applications.MobileNetV2(input_shape=(32, 32, 3), alpha=0.35, weights=None, classes=5),
    "MobileNetV3Small": lambda: applications.MobileNetV3Small(input_shape=(32, 32, 3), weights=None, classes=5),
    "ResNet50V2": lambda: applications.ResNet50V2(input_shape=(32, 32, 3), weights=None, classes=5),
    "DenseNet121": lambda: applications.DenseNet121(input_shape=(32, 32, 3), weights=None, classes=5),
}


def randomised(model: keras.Model, seed: int = 0) -> keras.Model:
    """Statistics, scales and biases as training leaves them: none that is 0 or 1."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name in {"moving_variance", "gamma"}:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif weight.name in {"moving_mean", "beta", "bias"}:
            weight.assign(rng.normal(0, 0.1, weight.shape))
    return model


def silence(model: keras.Model, coupling, stays) -> None:
    """Zeroes all that makes the channels that go, so that the network loses nothing with them."""
    for path, leaf in leaves(model).items():
        if path not in coupling.ports:
            continue
        gone = ~stays[coupling.ports[path].given]
        for weight in leaf.weights:
            values = weight.numpy()
            if weight.name in {"bias", "gamma", "beta", "moving_mean"}:
                values[gone] = 0
            elif weight.name == "kernel" and isinstance(leaf, layers.DepthwiseConv2D):
                values.reshape(*values.shape[:2], -1)[..., gone] = 0
            elif weight.name in {"kernel", "pointwise_kernel"}:
                values[..., gone] = 0
            weight.assign(values)


def pictures(model: keras.Model) -> np.ndarray:
    return np.random.default_rng(1).uniform(0, 255, (2, *model.input_shape[1:])).astype(np.float32)


def check_nothing_else_changes(model: keras.Model, chosen: Channels) -> keras.Model:
    """Removing channels that say nothing must change no answer: any wrong slice would."""
    coupling = couple(model)
    stays = make_plan(model, coupling, chosen).stays
    silence(model, coupling, stays)
    narrowed = narrow(model, coupling, stays)
    here, there = (np.asarray(which(pictures(model), training=False)) for which in (model, narrowed))
    assert here.std() > 0
    np.testing.assert_allclose(there, here, atol=1e-5)
    return narrowed


@pytest.mark.parametrize("name", MODELS)
def test_a_network_loses_what_is_removed_and_nothing_else(name):
    keras.utils.set_random_seed(0)
    model = randomised(MODELS[name]())
    before, work = model.count_params(), multiply_adds(model)
    narrowed = check_nothing_else_changes(model, HALF)

    assert narrowed.count_params() < 0.8 * before
    assert multiply_adds(narrowed) < 0.8 * work


@settings(max_examples=15)
@given(
    widths=st.lists(st.integers(3, 9), min_size=2, max_size=4),
    joins=st.lists(st.sampled_from(["none", "add", "concatenate", "depthwise", "normalise"]), min_size=4, max_size=4),
    remove=st.sampled_from([0.2, 0.5, 0.8]),
    flat=st.booleans(),
)
def test_networks_of_any_wiring_lose_nothing_else(widths, joins, remove, flat):
    keras.utils.set_random_seed(0)
    image = keras.Input((6, 6, 3))
    features = layers.Conv2D(widths[0], 3, padding="same")(layers.Rescaling(1 / 255)(image))
    for width, join in zip(widths[1:], joins, strict=False):
        branch = layers.Conv2D(features.shape[-1] if join == "add" else width, 3, padding="same")(features)
        match join:
            case "add":
                branch = layers.Add()([features, branch])
            case "concatenate":
                branch = layers.Concatenate()([branch, features])
            case "depthwise":
                branch = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(branch)
            case "normalise":
                branch = layers.ReLU()(layers.BatchNormalization()(branch))
        features = branch
    pooled = layers.Flatten()(features) if flat else layers.GlobalAveragePooling2D()(features)
    model = keras.Model(image, layers.Dense(4, activation="softmax")(pooled))

    check_nothing_else_changes(randomised(model), Channels(remove=remove, multiple_of=1))


def test_the_step_removes_fine_tunes_and_says_what_it_did(parent, bench, tmp_path):
    made = channels(parent, Channels(remove=0.5, multiple_of=2, epochs=2, learning_rate=1e-2), bench)

    assert made.model.count_params() < parent.count_params()
    assert made.model.output_shape == parent.output_shape
    assert "parameters became" in made.notes[0]
    assert "Cut 1 groups" in made.notes[1]
    assert {one.layer: one.reason for one in made.skipped}["scores"].startswith("its activation 'softmax'")
    assert leaves(made.model)["backbone/stem/conv"].filters == leaves(parent)["backbone/stem/conv"].filters // 2
    images, labels = next(bench.images.batches().as_numpy_iterator())
    assert np.mean(np.argmax(made.model(images, training=False), axis=1) == labels) > 0.6

    save_keras(made.model, tmp_path / "model.keras")
    np.testing.assert_allclose(load_keras(tmp_path / "model.keras")(images), made.model(images), atol=1e-6)


def test_skip_keeps_all_that_is_coupled_with_a_layer(parent, bench):
    with pytest.raises(ModelError, match=r"must have a channel to remove.*`skip` leaves 'backbone/project' alone"):
        channels(parent, Channels(remove=0.5, skip=("backbone/project",)), bench)


def test_a_pattern_that_fits_no_layer_is_named(parent, bench):
    with pytest.raises(ModelError, match=r"must fit a layer.*\['backbone/projekt'\]\. Did you mean 'backbone/project'"):
        channels(parent, Channels(remove=0.5, skip=("backbone/projekt",)), bench)


def test_too_little_to_remove_is_an_error_that_says_what_to_change(parent, bench):
    with pytest.raises(ModelError, match=r"remove 0\.01, multiple_of 8.*Raise remove, lower multiple_of"):
        channels(parent, Channels(remove=0.01), bench)


def test_an_empty_split_is_named(parent, bench, no_images):
    with pytest.raises(DataError, match="at least one image"):
        channels(parent, Channels(remove=0.5), dataclasses.replace(bench, images=no_images))


def test_multiply_adds_are_those_of_the_formulas():
    image = keras.Input((8, 8, 3))
    features = layers.Conv2D(4, 3, strides=2, padding="same")(image)
    features = layers.DepthwiseConv2D(3, padding="same")(features)
    model = keras.Model(image, layers.Dense(5)(layers.Flatten()(features)))

    assert multiply_adds(model) == 4 * 4 * 4 * 27 + 4 * 4 * 4 * 9 + 64 * 5
