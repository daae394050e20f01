"""Puts right what rounding weights to int8 shifts, before the converter rounds them for good."""

from collections.abc import Collection, Sequence
from typing import Final

import keras
import numpy as np

from roadworthy.models.batch_norm import BATCHES, batch_norms, reestimate
from roadworthy.models.compression.kernels import CHANNEL_AXES, layers_with_kernel
from roadworthy.models.compression.training_images import TrainingImages
from roadworthy.models.forward import forward

# LiteRT's int8 weights are symmetric: -128 is not used.
INT8_MAX: Final = 127
# Batches whose answers tell whether the correction is one.
COMPARED_BATCHES: Final = 4

# Moving mean and variance of each normalisation.
Statistics = list[tuple[np.ndarray, np.ndarray]]


def correct_rounding(model: keras.Model, images: TrainingImages, *, whole: Collection[str] = ()) -> None:
    """Rounds kernels to their int8 grid and corrects the batch normalisations behind them, in place.

    Rounding moves the mean of a convolution's outputs, most where an image has much of one colour, and the layers
    after it are not used to that. Every moving mean and variance is changed by as much as the same batches'
    statistics differ with and without rounding; if that brings the answers no closer to the exact ones, they stay as
    they were, as when statistics are frozen that are not those of the data.

    Args:
        model: functional or Sequential Keras 3 model; one without batch normalisation is only rounded.
        images: the training split.
        whole: paths of the layers whose kernels have one scale; all others have one a channel.

    Reference: Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction",
        section 4.2, https://arxiv.org/abs/1906.04721; here with the statistics of data.
    """
    sample = [batch for batch, _ in images.batches().take(COMPARED_BATCHES).as_numpy_iterator()]
    answer = forward(model)
    answers = [answer(batch) for batch in sample]
    norms = batch_norms(model)
    before = _statistics(norms)
    _reestimate(model, images)
    exact = _statistics(norms)
    _assign(norms, before)
    _round_kernels(model, whole=whole)
    uncorrected = _distance([answer(batch) for batch in sample], answers)
    _reestimate(model, images)
    _assign(norms, _corrected(norms, before=before, exact=exact))
    if _distance([answer(batch) for batch in sample], answers) > uncorrected:
        _assign(norms, before)


def round_kernel(kernel: np.ndarray, *, shared_axes: tuple[int, ...]) -> np.ndarray:
    """Rounds a kernel to 255 levels, symmetric about 0, scaled by the largest weight along the axes given.

    Zeros stay zero; rounding twice is rounding once.
    """
    # In float64: the 127th part of a tiny float32 would be 0, and dividing by it NaN.
    largest = np.abs(kernel.astype(np.float64)).max(axis=shared_axes, keepdims=True)
    scale = np.where(largest == 0, 1, largest / INT8_MAX)
    rounded: np.ndarray = (np.round(kernel / scale) * scale).astype(kernel.dtype)
    return rounded


def _round_kernels(model: keras.Model, *, whole: Collection[str]) -> None:
    for path, layer in layers_with_kernel(model).items():
        kernel = layer.kernel.numpy()
        own = () if path in whole else CHANNEL_AXES[type(layer)]
        shared = tuple(axis for axis in range(kernel.ndim) if axis not in own)
        layer.kernel.assign(round_kernel(kernel, shared_axes=shared))


def _corrected(norms: list[keras.layers.BatchNormalization], *, before: Statistics, exact: Statistics) -> Statistics:
    """The statistics before, moved by as much as those of the rounded model differ from those of the exact one."""
    moved = []
    for norm, (mean, variance), (exact_mean, exact_variance) in zip(norms, before, exact, strict=True):
        shift = norm.moving_mean.numpy() - exact_mean
        # epsilon keeps a dead channel, whose variance is 0 both times, as it was.
        ratio = (norm.moving_variance.numpy() + norm.epsilon) / (exact_variance + norm.epsilon)
        moved.append((mean + shift, variance * ratio))
    return moved


def _distance(here: Sequence[np.ndarray], there: Sequence[np.ndarray]) -> float:
    return float(np.mean(np.abs(np.concatenate(here) - np.concatenate(there))))


def _statistics(norms: list[keras.layers.BatchNormalization]) -> Statistics:
    return [(norm.moving_mean.numpy().copy(), norm.moving_variance.numpy().copy()) for norm in norms]


def _assign(norms: list[keras.layers.BatchNormalization], statistics: Statistics) -> None:
    for norm, (mean, variance) in zip(norms, statistics, strict=True):
        norm.moving_mean.assign(mean)
        norm.moving_variance.assign(variance)


def _reestimate(model: keras.Model, images: TrainingImages) -> None:
    # The same batches both times: each call of `batches` starts the same shuffle anew.
    reestimate(model, (batch for batch, _ in images.batches().take(BATCHES).as_numpy_iterator()))
