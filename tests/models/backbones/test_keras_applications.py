"""Keras' own networks take pixels in [0, 255], red first, and see what their weights were trained on."""

from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from roadworthy.models.backbones.build import build_backbone
from roadworthy.models.backbones.keras_applications import PREPROCESSING, preprocess
from roadworthy.models.config import BackboneSettings
from roadworthy.serving.errors import ConfigError, WeightsError


@pytest.fixture(scope="module")
def pixels(photo: np.ndarray) -> np.ndarray:
    return photo[None, 200:232, 300:332].astype(np.float32)


@pytest.mark.parametrize("family", PREPROCESSING)
def test_preprocessing_is_the_family_s_own_as_plain_layers(family: str, pixels: np.ndarray) -> None:
    mode = PREPROCESSING[family]
    image = keras.Input((32, 32, 3))
    ours = keras.Model(image, keras.layers.Identity()(preprocess(image, mode=mode)))(pixels).numpy()
    theirs = getattr(keras.applications, family).preprocess_input(pixels.copy())
    # Caffe's families want blue first; there the first kernel is turned round instead of the image.
    assert_allclose(ours, theirs[..., ::-1] if mode == "caffe" else theirs, atol=1e-4)


def test_every_family_of_keras_applications_is_known() -> None:
    names = [name for name in dir(keras.applications) if name[0].isupper()]
    assert {getattr(keras.applications, name).__module__.rsplit(".", 1)[-1] for name in names} == set(PREPROCESSING)


@pytest.mark.parametrize("name", ["MobileNet", "VGG16", "MobileNetV3Small"])
def test_weights_from_a_path_give_the_features_keras_gives(name: str, pixels: np.ndarray, tmp_path: Path) -> None:
    keras.utils.set_random_seed(2)
    network = getattr(keras.applications, name)(include_top=False, weights=None, input_shape=(32, 32, 3))
    path = tmp_path / "notop.weights.h5"
    network.save_weights(path)
    family = getattr(keras.applications, name).__module__.rsplit(".", 1)[-1]
    expected = network(getattr(keras.applications, family).preprocess_input(pixels.copy()))
    received = build_backbone(BackboneSettings(name=name, weights=str(path)), image_size=32)(pixels)
    assert_allclose(received, expected, rtol=1e-3, atol=1e-5)


def test_the_input_is_named_and_the_graph_is_flat() -> None:
    model = build_backbone(BackboneSettings(name="MobileNet", weights=None), image_size=32)
    assert model.inputs[0].name == "image"
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)


def test_images_too_small_for_the_network_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"InceptionV3 must be able to take images of 32 pixels.*75"):
        build_backbone(BackboneSettings(name="InceptionV3", weights=None), image_size=32)


def test_a_weights_file_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.weights.h5"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(path)
    with pytest.raises(WeightsError, match=r"other\.weights\.h5 must hold the weights of mobilenet"):
        build_backbone(BackboneSettings(name="MobileNet", weights=str(path)), image_size=32)


def test_a_sum_that_nothing_is_held_to_is_refused() -> None:
    settings = BackboneSettings(name="MobileNet", weights=None, weights_sha256="0" * 64)
    with pytest.raises(ConfigError, match="weights_sha256 of MobileNet needs the path of a file"):
        build_backbone(settings, image_size=32)
