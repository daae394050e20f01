"""Keeps the zeros and the clusters that earlier steps made while a kernel is trained on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from roadworthy.models.compression.kernels import CHANNEL_AXES, layers_with_kernel, levels, rows_of
from roadworthy.models.compression.recipe import Cluster, Step

# A step that prunes before one that clusters leaves zero as a value beside the clusters'.
_ZERO: Final = 1
# What the steps cluster and prune take.
_CHANGED_LAYERS: Final = (keras.layers.Conv2D, keras.layers.Dense)


@dataclass(frozen=True)
class Kept:
    """Which weights of a kernel belong together.

    Attributes:
        groups: for every weight the number of its group, int32, of the kernel's shape.
        free: for every group whether its value may change, bool; that of zero may not.
        whole: whether the groups are the whole kernel's rather than each channel's own.
    """

    groups: np.ndarray
    free: np.ndarray
    whole: bool

    def project(self, kernel: Any) -> Any:
        """The nearest kernel with equal weights in each group: their mean, or zero."""
        flat = tf.reshape(self.groups, [-1])
        means = tf.math.unsorted_segment_mean(tf.reshape(kernel, [-1]), flat, len(self.free))
        return tf.gather(means * tf.cast(self.free, means.dtype), self.groups)


@dataclass(frozen=True)
class KeptZeros:
    """Which weights of a kernel are zero.

    Attributes:
        others: which are not, float32 of the kernel's shape, 0 or 1.
    """

    others: np.ndarray

    def project(self, kernel: Any) -> Any:
        """The kernel with those zeros."""
        return kernel * self.others


def find_clusters(model: keras.Model, earlier: Sequence[Step]) -> dict[str, Kept]:
    """What the steps taken have clustered of a model, by layer path."""
    most = most_values(earlier)
    found = {
        path: find_kept(layer.kernel.numpy(), channel_axes=CHANNEL_AXES[type(layer)], most=most)
        for path, layer in _changed(model).items()
        if most
    }
    return {path: kept for path, kept in found.items() if kept is not None}


def find_zeros(model: keras.Model, earlier: Sequence[Step]) -> dict[str, KeptZeros]:
    """What the steps taken have pruned of a model, by layer path."""
    if not any(step.kind == "prune" for step in earlier):
        return {}
    kernels = {path: layer.kernel.numpy() for path, layer in _changed(model).items()}
    return {path: KeptZeros(np.sign(np.abs(kernel))) for path, kernel in kernels.items() if not np.all(kernel)}


def _changed(model: keras.Model) -> dict[str, keras.layers.Layer]:
    return {path: layer for path, layer in layers_with_kernel(model).items() if type(layer) in _CHANGED_LAYERS}


def most_values(earlier: Sequence[Step]) -> int:
    """How many values a kernel may hold after the steps taken; 0 if none of them clusters."""
    counts = [step.settings.clusters + _ZERO for step in earlier if isinstance(step.settings, Cluster)]
    return max(counts, default=0)


def find_kept(kernel: np.ndarray, *, channel_axes: tuple[int, ...], most: int) -> Kept | None:
    """Reads from a kernel what has to be kept of it.

    Args:
        kernel: its weights.
        channel_axes: the axes that count output channels.
        most: the most values that a kernel, or each of its channels, may hold to be taken for clustered.

    Returns:
        Its clusters; for a kernel that has more values, None.
    """
    values, groups = np.unique(kernel, return_inverse=True)
    if len(values) <= most:
        return Kept(groups.reshape(kernel.shape).astype(np.int32), values != 0, whole=True)
    rows = rows_of(kernel, channel_axes=channel_axes)
    if levels(rows) > most:
        return None
    # A group is a pair of a channel and a value.
    channels = np.broadcast_to(np.arange(len(rows))[:, None], rows.shape)
    pairs, groups = np.unique(np.stack([channels.ravel(), rows.ravel()]), axis=1, return_inverse=True)
    places = rows_of(np.arange(kernel.size).reshape(kernel.shape), channel_axes=channel_axes)
    placed = np.empty(kernel.size, np.int32)
    placed[places.ravel()] = groups.ravel()
    return Kept(placed.reshape(kernel.shape), pairs[1] != 0, whole=False)


class Keep(tf_keras.callbacks.Callback):
    """Puts kernels back on their clusters or zeros after every step of training.

    TF-MOT's own cluster-preserving scheme does not do it here: its quantiser is one object for all convolutions, and
    the first kernel without zeros makes it forget the zeros of those that follow.
    """

    def __init__(self, kept: Sequence[tuple[tf.Variable, Kept | KeptZeros]]) -> None:
        """Takes variables, each with what to keep of it."""
        super().__init__()
        self._project = tf.function(lambda: _assign(kept))

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Projects every kernel."""
        self._project()


def _assign(kept: Sequence[tuple[tf.Variable, Kept | KeptZeros]]) -> None:
    for variable, groups in kept:
        variable.assign(groups.project(variable))
