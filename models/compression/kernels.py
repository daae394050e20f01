"""The kernels of a Keras 3 model, as LiteRT sees them: a row of weights for every output channel."""

from typing import Final

import keras
import numpy as np

from roadworthy.models.bridge.graph import leaves

# The axes of a kernel that count output channels.
CHANNEL_AXES: Final[dict[type, tuple[int, ...]]] = {
    keras.layers.Conv2D: (3,),
    keras.layers.Conv2DTranspose: (2,),
    keras.layers.DepthwiseConv2D: (2, 3),
    keras.layers.Dense: (1,),
}


def layers_with_kernel(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """The convolutions and dense layers by path; subclasses, which may use their kernel in any way, are left out."""
    return {path: leaf for path, leaf in leaves(model).items() if type(leaf) in CHANNEL_AXES}


def kernel_rows(model: keras.Model) -> dict[str, np.ndarray]:
    """Every kernel by its layer's path, [output channels, weights a channel]."""
    return {
        path: rows_of(layer.kernel.numpy(), channel_axes=CHANNEL_AXES[type(layer)])
        for path, layer in layers_with_kernel(model).items()
    }


def rows_of(kernel: np.ndarray, *, channel_axes: tuple[int, ...]) -> np.ndarray:
    """A kernel with the axes that count its output channels made one and put first, the rest made one."""
    front = np.moveaxis(kernel, channel_axes, range(len(channel_axes)))
    channels = int(np.prod([kernel.shape[axis] for axis in channel_axes]))
    return front.reshape(channels, -1)


def levels(rows: np.ndarray) -> int:
    """The most different values that any channel of a kernel [output channels, weights a channel] has."""
    steps = np.diff(np.sort(rows, axis=1), axis=1)
    return int(np.max(1 + np.count_nonzero(steps, axis=1)))
