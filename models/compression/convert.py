"""LiteRT's converter: from a network, of either Keras, to a flatbuffer of the type that a recipe asks for."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow.lite.python.convert_phase import ConverterError

from roadworthy.models.compression.recipe import Quantize
from roadworthy.serving.contract import SCORES
from roadworthy.serving.errors import ModelError

_OPERATOR_SETS: Final = {
    "int8": tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
    "16x8": tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
}
_IMAGE: Final = "image"
PIXEL_MAX: Final = 255.0


@dataclass(frozen=True)
class Network:
    """What the converter is given.

    Attributes:
        answer: from float32 [batch, height, width, channels] in [0, 255] to scores, float32 [batch, classes].
        variables: everything `answer` reads.
        image_shape: height, width and channels.
    """

    answer: Callable[[Any], Any]
    variables: Sequence[tf.Variable]
    image_shape: tuple[int, int, int]


def network(model: keras.Model, *, whole_pixels: bool = False) -> Network:
    """A Keras 3 model for the converter.

    Args:
        model: classifier of images, as steps take it.
        whole_pixels: fixes the input's int8 grid to 0, 1, … 255, whatever the calibration images lack.
    """

    def answer(image: Any) -> Any:
        pixels = tf.quantization.fake_quant_with_min_max_args(image, 0, PIXEL_MAX) if whole_pixels else image
        return model(pixels, training=False)

    return Network(answer, [variable.value for variable in model.variables], tuple(model.inputs[0].shape[1:]))


def twin_network(twin: tf_keras.Model) -> Network:
    """A tf_keras model for the converter."""
    return Network(lambda image: twin(image, training=False), twin.variables, tuple(twin.input_shape[1:]))


def convert(network: Network, settings: Quantize | None, *, calibration: tf.data.Dataset | None = None) -> bytes:
    """Converts a network; operators that have no version of the type asked for are left in float32.

    Args:
        network: what to convert.
        settings: type of weights and activations, and of the input and output; None for float32 throughout.
        calibration: images one a batch, whose values set the ranges of activations; None if the network has them.

    Returns:
        A LiteRT flatbuffer from `image` to `scores`. The batch is 1 unless the interpreter resizes it.

    Raises:
        ModelError: LiteRT lacks an operator altogether; the message names it.
    """
    with tempfile.TemporaryDirectory() as folder:
        _write(network, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if settings is not None:
            _quantise(converter, settings, calibration)
        return _run(converter, settings.type if settings else "float32")


def _quantise(converter: Any, settings: Quantize, calibration: tf.data.Dataset | None) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if calibration is not None:
        converter.representative_dataset = lambda: _one_by_one(calibration)
        converter.target_spec.supported_ops = [_OPERATOR_SETS[settings.type], tf.lite.OpsSet.TFLITE_BUILTINS]
    if settings.type == "float16":
        converter.target_spec.supported_types = [tf.float16]
    converter.inference_input_type = converter.inference_output_type = tf.as_dtype(settings.io)


def _write(network: Network, folder: str) -> None:
    """Writes a SavedModel of the network alone, whose one signature gives the converter its tensors' names."""
    module = tf.Module()
    module.held = list(network.variables)
    image = tf.TensorSpec((None, *network.image_shape), tf.float32, name=_IMAGE)
    answer = tf.function(lambda image: {SCORES: network.answer(image)}, input_signature=[image])
    tf.saved_model.save(module, folder, signatures={"serve": answer})


def _one_by_one(calibration: tf.data.Dataset) -> Iterator[list[np.ndarray]]:
    for image in calibration.as_numpy_iterator():
        yield [image]


def _run(converter: Any, kind: str) -> bytes:
    try:
        flatbuffer: bytes = converter.convert()
    except (ConverterError, RuntimeError, ValueError) as error:
        # After its first note the converter prints the whole graph.
        cause = str(error).partition("note:")[0].strip()
        raise ModelError(
            f"The model must convert to LiteRT {kind}. Received: {cause}. Replace the layer that makes this operation."
        ) from error
    return flatbuffer
