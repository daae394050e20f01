"""Any class of `keras.applications` as a backbone, with its family's preprocessing as plain layers inside."""

from pathlib import Path
from typing import Final, Literal

import keras
from keras import layers

from roadworthy.models.backbones.keras_weights import load_keras_weights
from roadworthy.models.backbones.weights_file import check_weights_file
from roadworthy.models.config import IMAGENET, RANDOM, BackboneSettings
from roadworthy.serving.errors import ConfigError, WeightsError

Mode = Literal["caffe", "tf", "torch", "inside"]

# The mode of each module's own `preprocess_input`; "inside" is for families whose networks start with it.
PREPROCESSING: Final[dict[str, Mode]] = {
    "convnext": "inside",
    "densenet": "torch",
    "efficientnet": "inside",
    "efficientnet_v2": "inside",
    "inception_resnet_v2": "tf",
    "inception_v3": "tf",
    "mobilenet": "tf",
    "mobilenet_v2": "tf",
    "mobilenet_v3": "inside",
    "nasnet": "tf",
    "resnet": "caffe",
    "resnet_v2": "tf",
    "vgg16": "caffe",
    "vgg19": "caffe",
    "xception": "tf",
}

# From keras.src.applications.imagenet_utils; channels are red, green, blue.
TORCH_MEAN: Final = (0.485 * 255, 0.456 * 255, 0.406 * 255)
TORCH_VARIANCE: Final = ((0.229 * 255) ** 2, (0.224 * 255) ** 2, (0.225 * 255) ** 2)
CAFFE_MEAN: Final = (123.68, 116.779, 103.939)


def build(settings: BackboneSettings, *, image_size: int) -> keras.Model:
    """Builds a network without its ImageNet head and loads its weights.

    Args:
        settings: `weights` is imagenet (Keras downloads them once and checks their hash), none, or the path of a
            weights file saved from `keras.applications.<name>(include_top=False, weights=None)`.
        image_size: side of the square input, pixels.

    Returns:
        A model from `image`, float32 [batch, size, size, 3] in [0, 255], to its feature map.

    Raises:
        ConfigError: the network can't take images this small, or `weights_sha256` is given without a path.
        WeightsError: the weights can't be fetched, or are missing, damaged or another network's.
    """
    mode = _mode(settings.name)
    image = keras.Input((image_size, image_size, 3), name="image")
    if settings.weights in (RANDOM, IMAGENET):
        _refuse_sum(settings)
        weights = None if settings.weights == RANDOM else IMAGENET
        model = _construct(settings.name, preprocess(image, mode=mode), weights=weights)
    else:
        path = Path(settings.weights)
        check_weights_file(path, sha256=settings.weights_sha256)
        model = _construct(settings.name, preprocess(image, mode=mode), weights=None)
        load_keras_weights(model, path)
    if mode == "caffe" and settings.weights != RANDOM:
        _reverse_input_channels(model)
    return model


def _mode(name: str) -> Mode:
    return PREPROCESSING[getattr(keras.applications, name).__module__.rsplit(".", 1)[-1]]


def preprocess(image: keras.KerasTensor, *, mode: Mode) -> keras.KerasTensor:
    """What `keras.applications.imagenet_utils.preprocess_input` does, as layers; channels stay red, green, blue."""
    match mode:
        case "tf":
            return layers.Rescaling(1 / 127.5, offset=-1.0, name="preprocess")(image)
        case "torch":
            return layers.Normalization(mean=TORCH_MEAN, variance=TORCH_VARIANCE, name="preprocess")(image)
        case "caffe":
            return layers.Normalization(mean=CAFFE_MEAN, variance=(1.0, 1.0, 1.0), name="preprocess")(image)
        case "inside":
            return image


def _construct(name: str, preprocessed: keras.KerasTensor, *, weights: str | None) -> keras.Model:
    shape = tuple(preprocessed.shape[1:])
    try:
        return getattr(keras.applications, name)(
            include_top=False, weights=weights, input_tensor=preprocessed, input_shape=shape
        )
    except ValueError as error:
        raise ConfigError(f"{name} must be able to take images of {shape[0]} pixels. Received: {error}") from error
    except Exception as error:  # what Keras raises when a download fails
        raise WeightsError(
            f"The ImageNet weights of {name} must be downloadable or in Keras' cache. Received: {error} "
            "Without a network, give the path of a weights file."
        ) from error


def _refuse_sum(settings: BackboneSettings) -> None:
    """A sum that nothing would be held to is a false comfort."""
    if settings.weights_sha256 is not None:
        raise ConfigError(f"weights_sha256 of {settings.name} needs the path of a file. Received: {settings.weights}.")


def _reverse_input_channels(model: keras.Model) -> None:
    """Turns weights for blue, green, red into ones for red, green, blue, which saves a layer that reorders."""
    first = next(layer for layer in model.layers if isinstance(layer, layers.Conv2D))
    kernel, *rest = first.get_weights()
    first.set_weights([kernel[:, :, ::-1, :], *rest])
