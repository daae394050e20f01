"""Quantisation to a LiteRT model: after training, or with a fine-tuning that feels the rounding."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import keras
import numpy as np

from roadworthy.models.compression.agreement import Agreement, ask, compare
from roadworthy.models.compression.clusters_in_file import told_apart
from roadworthy.models.compression.convert import convert, network, twin_network
from roadworthy.models.compression.flatbuffer import (
    check_borders,
    check_levels_kept,
    check_quantized,
    check_zeros_kept,
    float_operators,
)
from roadworthy.models.compression.kept import Kept, find_clusters, find_zeros
from roadworthy.models.compression.kernels import kernel_rows
from roadworthy.models.compression.made import Bench, Made
from roadworthy.models.compression.qat import train_quantized
from roadworthy.models.compression.recipe import Quantize
from roadworthy.models.compression.record import Skipped
from roadworthy.models.compression.rounding import correct_rounding
from roadworthy.models.compression.shared_scale import share_scales
from roadworthy.models.compression.training_images import TrainingImages
from roadworthy.models.forward import forward
from roadworthy.serving.errors import ModelError

COMPARED_IMAGES: Final = 64
# Mean difference of a file's scores from those of the model trained for it, beside what rounding changes in those.
TOLERANCE: Final = 0.02

# Types whose activations have ranges that have to be measured.
_CALIBRATED: Final = frozenset({"int8", "16x8"})
# Types of which weights are int8, which can have one scale for all channels.
_ROUNDED: Final = frozenset({"int8", "16x8", "dynamic"})
_WHY_FLOAT: Final = {
    "int8": "LiteRT has no int8 version of {operator}, or knows no range for it: it stays in float32",
    "16x8": "LiteRT has no int16 version of {operator}, or knows no range for it: it stays in float32",
    "dynamic": "LiteRT rounds no {operator} of less than 1,024 weights: it stays in float32",
    "float16": "LiteRT did not store this {operator} in float16: it stays in float32",
}


def quantize(model: keras.Model, settings: Quantize, bench: Bench) -> Made:
    """Converts a classifier to a LiteRT model of the type asked for.

    - `int8`: weights and activations; `16x8`: int8 weights and int16 activations. Ranges of activations are measured on
      images of the training split, or learned with `qat`. An operator that LiteRT has no integer version of is left
      in float32 and listed.
    - `dynamic`: int8 weights, float32 activations. Kernels of less than 1,024 weights are left alone and listed.
    - `float16`: float16 weights, float32 activations.

    int8 weights are symmetric, so that a zero stays exactly zero, and have a scale a channel; a kernel that was
    clustered as a whole has one scale, so that a cluster stays one value. What rounding weights shifts is put right in
    the batch normalisations first.

    Args:
        model: Keras 3 model from float32 [batch, height, width, channels] in [0, 255] to scores [batch, classes]; its
            weights become the rounded ones in place.
        settings: type, calibration and fine-tuning.
        bench: the training split, and the steps whose zeros and clusters have to be kept.

    Returns:
        The model with rounded weights, and a LiteRT flatbuffer from `image` [batch, height, width, channels] to
        `scores` [batch, classes], both of the type `io`. The batch is 1 unless the interpreter resizes it.

    Raises:
        DataError: the training split is empty.
        ModelError: the model can't be converted, no kernel is of the type asked for, zeros or clusters were lost, or
            the file does not answer as the model that was trained for it.
        UnsupportedLayer: the bridge can't take a layer, which `qat` needs.

    Reference: https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/post_training_quantization
    """
    images = bench.images
    sample = np.concatenate(list(images.sample(COMPARED_IMAGES).as_numpy_iterator()))
    clusters = find_clusters(model, bench.earlier)
    check_won = _check_of_what_was_won(model, settings, bench, clusters)
    if settings.qat is None:
        skipped: tuple[Skipped, ...] = ()
        flatbuffer = _convert_calibrated(model, settings, images, clusters)
        agreement = compare(ask(flatbuffer, sample), _answers(model, sample))
    else:
        trained = train_quantized(model, settings.qat, bench, clusters=clusters)
        skipped = trained.skipped
        flatbuffer = convert(twin_network(trained.twin), settings, calibration=None)
        answers = _answers(trained.twin, sample)
        agreement = compare(ask(flatbuffer, sample), answers)
        _check_agreement(agreement, rounding=compare(answers, _answers(model, sample)))
    check_quantized(flatbuffer, settings.type)
    check_borders(flatbuffer, settings.io)
    check_won(flatbuffer)
    skipped += _left_in_float(flatbuffer, settings, known=skipped)
    notes = (f"The file and its model give {agreement}.", *told_apart(flatbuffer, model, clusters))
    return Made(model, litert=flatbuffer, skipped=skipped, notes=notes)


def _check_of_what_was_won(
    model: keras.Model, settings: Quantize, bench: Bench, clusters: Mapping[str, Kept]
) -> Callable[[bytes], None]:
    """A check of the file that holds it to the model's zeros and clusters as they are now.

    Training may change what no earlier step has won; rounding alone has to keep everything.
    """
    pruned = find_zeros(model, bench.earlier)
    kernels = kernel_rows(model)
    zeros = [rows for path, rows in kernels.items() if settings.qat is None or path in pruned]
    rows = [rows for path, rows in kernels.items() if settings.qat is None or path in clusters]

    def check(flatbuffer: bytes) -> None:
        check_zeros_kept(flatbuffer, before=zeros)
        check_levels_kept(flatbuffer, before=rows)

    return check


def _convert_calibrated(
    model: keras.Model, settings: Quantize, images: TrainingImages, clusters: Mapping[str, Kept]
) -> bytes:
    """Rounds the model's weights, unless float16 holds them as they are, and converts it."""
    whole = [path for path, kept in clusters.items() if kept.whole] if settings.type in _ROUNDED else []
    if settings.type in _ROUNDED:
        correct_rounding(model, images, whole=whole)
    flatbuffer = convert(
        network(model, whole_pixels=settings.type == "int8"),
        settings,
        calibration=images.sample(settings.calibration_images) if settings.type in _CALIBRATED else None,
    )
    rows = kernel_rows(model)
    return share_scales(flatbuffer, [rows[path] for path in whole])


def _check_agreement(agreement: Agreement, *, rounding: Agreement) -> None:
    """Holds a file to its trained model, within what rounding its activations changes in that model's own answers."""
    allowed = TOLERANCE + rounding.mean
    # Written so that NaN fails.
    if not agreement.mean <= allowed:
        raise ModelError(
            f"A LiteRT file must answer as the model that was trained for it, within {allowed:.4f} on average. "
            f"Received: {agreement}. Leave qat out of the quantize step."
        )


def _answers(model: Any, images: np.ndarray) -> np.ndarray:
    """A model's scores, of either Keras, one image at a time so that memory is that of one."""
    answer = forward(model)
    return np.concatenate([answer(image[None]) for image in images])


def _left_in_float(flatbuffer: bytes, settings: Quantize, *, known: tuple[Skipped, ...]) -> tuple[Skipped, ...]:
    """The operators of the file that are in float32, but for those of layers known to be."""
    layers = [skipped.layer for skipped in known]
    return tuple(
        Skipped(layer=left.output, reason=_WHY_FLOAT[settings.type].format(operator=left.operator))
        for left in float_operators(flatbuffer, settings.type)
        if not any(f"{layer}/" in left.output for layer in layers)
    )
