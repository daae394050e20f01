"""Every network of keras.applications crosses the bridge, at its smallest size, with statistics as of a trained one."""

import gc
import inspect

import keras
import numpy as np
import pytest

from roadworthy.models.bridge.equality import check_equal
from roadworthy.models.bridge.translation import to_tf_keras
from roadworthy.models.bridge.weights import copy_to_keras

NETWORKS = sorted(
    name for name, value in vars(keras.applications).items() if inspect.isfunction(value) and name[0].isupper()
)
SMALLEST = {"InceptionResNetV2": 75, "InceptionV3": 75, "Xception": 71, "NASNetLarge": 32}
# A larger one of a family, by a smaller one that has the same layers, fewer of them.
LARGE = {
    "ConvNeXtTiny": ("ConvNeXtSmall", "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtXLarge"),
    "DenseNet121": ("DenseNet169", "DenseNet201"),
    "EfficientNetB0": tuple(f"EfficientNetB{size}" for size in range(1, 8)),
    "EfficientNetV2B0": ("EfficientNetV2B1", "EfficientNetV2B2", "EfficientNetV2B3"),
    "EfficientNetV2S": ("EfficientNetV2M", "EfficientNetV2L"),
    "NASNetMobile": ("NASNetLarge",),
    "ResNet50": ("ResNet101", "ResNet152"),
    "ResNet50V2": ("ResNet101V2", "ResNet152V2"),
    "VGG16": ("VGG19",),
}
SMALLER = {large: small for small, family in LARGE.items() for large in family}


def test_no_network_is_forgotten():
    assert len(NETWORKS) >= 38
    assert set(NETWORKS) >= SMALLER.keys() | LARGE.keys() | SMALLEST.keys()
    assert not SMALLER.keys() & LARGE.keys()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.large if name in SMALLER else ()) for name in NETWORKS]
)
def test_it_computes_the_same_there_and_its_weights_come_back(name):
    keras.utils.set_random_seed(1)
    model = network(name)
    as_if_trained(model)
    twin = to_tf_keras(model)

    check_equal(model, twin)

    before = [weight.numpy() for weight in model.weights]
    for weight in model.weights:
        weight.assign(keras.ops.zeros_like(weight))
    copy_to_keras(twin, model)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)
    del model, twin
    keras.backend.clear_session()
    gc.collect()


@pytest.mark.large
@pytest.mark.parametrize("name", sorted(SMALLER))
def test_it_has_no_layer_that_the_smaller_one_of_its_family_lacks(name):
    assert kinds(network(name)) == kinds(network(SMALLER[name]))


def network(name: str) -> keras.Model:
    side = SMALLEST.get(name, 32)
    return getattr(keras.applications, name)(
        input_shape=(side, side, 3), weights=None, include_top=False, pooling="avg"
    )


def kinds(model: keras.Model) -> set[tuple]:
    """The classes of the layers, with those of their settings that the bridge has to carry over."""
    settings = ("activation", "padding", "strides", "use_bias", "epsilon", "scale", "center")
    return {
        (type(layer).__name__, *(str(layer.get_config().get(setting)) for setting in settings))
        for layer in model.layers
    }


def as_if_trained(model: keras.Model) -> None:
    """Scales and statistics that are neither 0 nor 1 nor alike, so that a wrong one shows."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name in {"moving_variance", "variable"}:
            weight.assign(rng.uniform(0.8, 1.2, weight.shape))
        elif weight.name == "gamma":
            # With more, hundreds of layers of random weights enlarge every rounding error until it is all there is.
            weight.assign(rng.uniform(0.6, 0.8, weight.shape))
        elif weight.name in {"moving_mean", "beta", "bias"}:
            weight.assign(rng.normal(0, 0.1, weight.shape))
