"""Post-training quantisation to a LiteRT model of int8 weights and activations, float32 at its borders."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from roadworthy.models.compression.flatbuffer import check_int8, check_zeros_kept
from roadworthy.models.compression.made import Bench, Made
from roadworthy.models.compression.recipe import Quantize
from roadworthy.models.compression.rounding import correct_rounding
from roadworthy.serving.contract import SCORES
from roadworthy.serving.errors import ModelError


def quantize(model: keras.Model, settings: Quantize, bench: Bench) -> Made:
    """Converts a classifier to int8, with ranges calibrated on images of the training split.

    Weights are symmetric and per channel, so a zero stays exactly zero and pruning survives. What rounding them shifts
    is put right in the batch normalisations first.

    Args:
        model: Keras 3 model from float32 [batch, height, width, 3] in [0, 255] to scores [batch, classes]; its weights
            are rounded in place.
        settings: how many images to calibrate on; all of them if there are fewer.
        bench: the training split.

    Returns:
        A LiteRT flatbuffer from `image`, float32 [batch, height, width, 3], to `scores`, float32 [batch, classes]. The
        batch is 1 unless the interpreter resizes it.

    Raises:
        DataError: the training split is empty.
        ModelError: the model can't be converted, or not wholly to int8.

    Reference: https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/post_training_integer_quant
    """
    images = bench.images
    calibration = images.sample(settings.calibration_images)
    correct_rounding(model, images)
    with tempfile.TemporaryDirectory() as folder:
        _export(model, Path(folder))
        flatbuffer = _convert(folder, calibration)
    check_int8(flatbuffer)
    check_zeros_kept(flatbuffer, kernels=[weight.numpy() for weight in model.weights if "kernel" in weight.name])
    return Made(model, litert=flatbuffer)


def _export(model: keras.Model, folder: Path) -> None:
    """Writes a SavedModel of the network alone, whose one signature gives the converter its tensors' names."""
    image = tf.TensorSpec((None, *model.inputs[0].shape[1:]), tf.float32, name=model.inputs[0].name)
    archive = keras.export.ExportArchive()
    archive.add_endpoint("serve", lambda batch: {SCORES: model(batch, training=False)}, input_signature=[image])
    archive.write_out(folder, verbose=False)


def _convert(folder: str, calibration: tf.data.Dataset) -> bytes:
    def representative() -> Iterator[list[np.ndarray]]:
        for image in calibration.as_numpy_iterator():
            yield [image]

    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    try:
        flatbuffer: bytes = converter.convert()
    except (ConverterError, RuntimeError, ValueError) as error:
        # After its first note the converter prints the whole graph.
        cause = str(error).partition("note:")[0].strip()
        raise ModelError(
            f"The model must convert to LiteRT int8. Received: {cause}. Replace the layer that makes this operation."
        ) from error
    return flatbuffer
