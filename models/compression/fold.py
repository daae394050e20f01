"""Folds normalisation and rescaling into the kernels beside them: the same answers from fewer operations."""

from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from roadworthy.models.bridge.graph import leaves
from roadworthy.models.compression.foldable import Folds, find_folds
from roadworthy.models.compression.kept import find_clusters
from roadworthy.models.compression.kernels import CHANNEL_AXES
from roadworthy.models.compression.made import Bench, Made
from roadworthy.models.compression.rebuild import copy_of, rebuild
from roadworthy.models.compression.recipe import Fold
from roadworthy.serving.errors import ModelError

# Scores before and after agree within this, or the fold is refused.
TOLERANCE: Final = 1e-4

Weights = dict[str, npt.NDArray[Any]]


def fold(model: keras.Model, settings: Fold, bench: Bench) -> Made:
    """Folds each BatchNormalization into the layer before it, and each Rescaling into the layer behind it.

    Only where the two are linked directly and to nothing else, and both answers and clusters stay the same. What is
    left infers as before, but would train otherwise.

    Args:
        model: classifier of images; left as it is.
        settings: none so far.
        bench: the training split, on a batch of which the two models are compared, and the steps taken before.

    Returns:
        A functional model without the layers that were folded away; the rest at the same paths.

    Raises:
        UnsupportedLayer: a model in it is subclassed.
        ModelError: the folded model answers otherwise.
        DataError: the training split is empty.

    Reference: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
    Inference", section 3.2, https://arxiv.org/abs/1712.05877.
    """
    clusters = find_clusters(model, bench.earlier)
    folds = find_folds(model, clustered=[path for path, kept in clusters.items() if kept.whole])
    folded = without(model, folds)
    bench.images.count()
    _check_equal(model, folded, next(bench.images.batches().as_numpy_iterator())[0])
    note = f"Folded {len(folds.away)} layers into the kernels beside them; weights are constants of the graph."
    return Made(folded, skipped=folds.skipped, notes=(note,), frozen=True)


def without(model: keras.Model, folds: Folds) -> keras.Model:
    """Builds a model in whose kernels and biases the folds are."""
    here = leaves(model)
    paths = {id(leaf): path for path, leaf in here.items()}
    targets = folds.norms.keys() | folds.rescalings.keys()

    def replace(leaf: keras.Operation) -> Any:
        path = paths[id(leaf)]
        if path in folds.away:
            return lambda tensor, **_: tensor
        return copy_of(leaf, use_bias=True) if path in targets else copy_of(leaf)

    folded = rebuild(model, replace)
    for path, layer in leaves(folded).items():
        if getattr(layer, "weights", None):
            layer.set_weights(_folded_weights(here[path], path, folds))
    return folded


def _folded_weights(layer: keras.Layer, path: str, folds: Folds) -> list[npt.NDArray[Any]]:
    if path not in folds.norms and path not in folds.rescalings:
        weights: list[npt.NDArray[Any]] = layer.get_weights()
        return weights
    # In float64, and rounded to the variables' type once.
    exact = {weight.name: weight.numpy().astype(np.float64) for weight in layer.weights}
    name, axes = _kernel(layer)
    kernel, bias = exact[name], exact.get("bias", np.zeros(1))
    if path in folds.rescalings:
        rescaling = folds.rescalings[path]
        others = tuple(axis for axis in range(kernel.ndim) if axis not in axes)
        bias = bias + rescaling.offset * kernel.sum(axis=others).ravel()
        kernel = kernel * rescaling.scale
    if path in folds.norms:
        factor, shift = _affine(folds.norms[path])
        bias = bias * factor + shift
        kernel = kernel * factor.reshape([kernel.shape[axis] if axis in axes else 1 for axis in range(kernel.ndim)])
    return list((exact | {name: kernel, "bias": bias}).values())


def _kernel(layer: keras.Layer) -> tuple[str, tuple[int, ...]]:
    """The weight that a layer's output is proportional to, and its axes that count output channels."""
    if isinstance(layer, layers.SeparableConv2D):
        return "pointwise_kernel", (3,)
    return "kernel", CHANNEL_AXES[type(layer)]


def _affine(norm: layers.BatchNormalization) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The factor and shift of every channel that an inferring normalisation comes to."""
    mean, variance = norm.moving_mean.numpy().astype(np.float64), norm.moving_variance.numpy().astype(np.float64)
    factor = (norm.gamma.numpy() if norm.scale else 1.0) / np.sqrt(variance + norm.epsilon)
    return factor, (norm.beta.numpy() if norm.center else 0.0) - mean * factor


def _check_equal(model: keras.Model, folded: keras.Model, images: npt.NDArray[np.float32]) -> None:
    scores = [keras.ops.convert_to_numpy(each(images, training=False)) for each in (model, folded)]
    difference = float(np.max(np.abs(scores[0] - scores[1])))
    # Written so that NaN fails.
    if not difference <= TOLERANCE:
        raise ModelError(
            f"A folded model must give the scores it gave before within {TOLERANCE:g}. Received: a difference of "
            f"{difference:g}. Leave the step fold out, or retrain the normalisation of channels that hardly vary."
        )
