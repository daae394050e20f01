"""How each kind of layer carries channels from its inputs to its output."""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any, Final

import keras
import numpy as np
from keras import layers

from roadworthy.models.compression.channels.partition import Channels, Partition

Shape = tuple[int | None, ...]


class Unfollowed(Exception):
    """A layer whose channels can't be followed; the message says why, beginning with a verb."""


@dataclass(frozen=True)
class Call:
    """One call of a layer.

    Attributes:
        layer: the layer or operation.
        shapes: of its input tensors, with the batch.
        channels: of its input tensors, along their last axes.
        numbers: arguments that are no tensors.
        output_shape: of its output, with the batch.
        partition: where couplings are noted.
    """

    layer: keras.Operation
    shapes: tuple[Shape, ...]
    channels: tuple[Channels, ...]
    numbers: tuple[Any, ...]
    output_shape: Shape
    partition: Partition


Rule = Callable[[Call], Channels]


def carry(call: Call) -> Channels:
    """The channels of a call's output; what has to be coupled is.

    Raises:
        Unfollowed: there is no rule for this layer with these options.
    """
    layer = call.layer
    by_layer = isinstance(layer, keras.layers.Layer)
    rule = _OF_LAYERS.get(type(layer)) if by_layer else _OF_OPERATIONS.get(type(layer).__name__)
    if rule is None:
        raise Unfollowed(f"is a {type(layer).__name__}, whose channels can't be followed")
    if getattr(layer, "data_format", None) == "channels_first":
        raise Unfollowed("has its channels first")
    return rule(call)


def gives_new_channels(layer: keras.Operation) -> bool:
    """Whether the number of a layer's output channels is its own choice."""
    return type(layer) in NARROWED


def _new(call: Call) -> Channels:
    if getattr(call.layer, "groups", 1) != 1:
        raise Unfollowed(f"is a convolution of {call.layer.groups} groups")
    given = call.partition.new(int(call.output_shape[-1] or 0))
    _pin_mixing(call, given)
    return given


def _depthwise(call: Call) -> Channels:
    given = np.repeat(call.channels[0], call.layer.depth_multiplier)
    _pin_mixing(call, given)
    return given


def _kept(call: Call) -> Channels:
    if len(call.channels) != 1 or call.output_shape[-1] != len(call.channels[0]):
        raise Unfollowed("changes its channels")
    _pin_mixing(call, call.channels[0])
    return call.channels[0]


def _normalised(call: Call) -> Channels:
    if call.layer.axis not in (-1, len(call.shapes[0]) - 1):
        raise Unfollowed(f"normalises along axis {call.layer.axis}")
    return _kept(call)


def _rescaled(call: Call) -> Channels:
    if np.ndim(call.layer.scale) or np.ndim(call.layer.offset):
        raise Unfollowed("rescales every channel by a constant of its own")
    return _kept(call)


def _coupled(call: Call) -> Channels:
    """Elementwise arithmetic: channels at one place are coupled; a lone one is broadcast over the rest."""
    if not all(number is None or isinstance(number, Real) for number in call.numbers):
        raise Unfollowed("computes with a constant of more than one number")
    widest = max(call.channels, key=len)
    for channels in call.channels:
        if len(channels) == len(widest):
            call.partition.join(widest, channels)
        elif len(channels) != 1:
            raise Unfollowed("broadcasts its channels")
    return widest


def _concatenated(call: Call) -> Channels:
    if call.layer.axis in (-1, len(call.shapes[0]) - 1):
        return np.concatenate(call.channels)
    return _coupled(call)


def _reshaped(call: Call) -> Channels:
    """Follows every position of the map; its channels are still told apart by the last axis alone, or not at all."""
    before = [length for length in call.shapes[0][1:] if length is not None]
    after = [length for length in call.output_shape[1:] if length is not None]
    if len(before) < len(call.shapes[0]) - 1 or len(after) < len(call.output_shape) - 1:
        raise Unfollowed("reshapes a map of unknown size")
    rows: Channels = np.broadcast_to(call.channels[0], before).reshape(-1, after[-1])
    if np.any(rows != rows[0]):
        raise Unfollowed("spreads its channels over other axes")
    first: Channels = rows[0]
    return first


def _pin_mixing(call: Call, given: Channels) -> None:
    activation = getattr(call.layer, "activation", None)
    if activation is not None and activation not in _ELEMENTWISE:
        call.partition.pin(given, f"its activation {activation.__name__!r} may mix channels")


_ELEMENTWISE: Final = frozenset(
    {
        keras.activations.celu,
        keras.activations.elu,
        keras.activations.exponential,
        keras.activations.gelu,
        keras.activations.hard_shrink,
        keras.activations.hard_sigmoid,
        keras.activations.hard_silu,
        keras.activations.hard_tanh,
        keras.activations.leaky_relu,
        keras.activations.linear,
        keras.activations.log_sigmoid,
        keras.activations.mish,
        keras.activations.relu,
        keras.activations.relu6,
        keras.activations.selu,
        keras.activations.sigmoid,
        keras.activations.silu,
        keras.activations.soft_shrink,
        keras.activations.softplus,
        keras.activations.softsign,
        keras.activations.squareplus,
        keras.activations.tanh,
        keras.activations.tanh_shrink,
        keras.activations.threshold,
    }
)

# The layers that say how many channels they give, and the option that says it.
NARROWED: Final[dict[type, str]] = {
    layers.Conv2D: "filters",
    layers.Conv2DTranspose: "filters",
    layers.SeparableConv2D: "filters",
    layers.Dense: "units",
}

_KEEPING: Final = (
    layers.Activation,
    layers.ActivityRegularization,
    layers.AlphaDropout,
    layers.AveragePooling2D,
    layers.Cropping2D,
    layers.Dropout,
    layers.ELU,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.GlobalAveragePooling2D,
    layers.GlobalMaxPooling2D,
    layers.Identity,
    layers.LeakyReLU,
    layers.MaxPooling2D,
    layers.PReLU,
    layers.ReLU,
    layers.SpatialDropout2D,
    layers.UpSampling2D,
    layers.ZeroPadding2D,
)

_OF_LAYERS: Final[dict[type, Rule]] = {
    **dict.fromkeys(NARROWED, _new),
    **dict.fromkeys(_KEEPING, _kept),
    **dict.fromkeys(
        (layers.Add, layers.Average, layers.Maximum, layers.Minimum, layers.Multiply, layers.Subtract), _coupled
    ),
    layers.BatchNormalization: _normalised,
    layers.Concatenate: _concatenated,
    layers.DepthwiseConv2D: _depthwise,
    layers.Flatten: _reshaped,
    layers.Rescaling: _rescaled,
    layers.Reshape: _reshaped,
}

# Of `keras.ops`, by class name: the classes themselves are not public.
_OF_OPERATIONS: Final[dict[str, Rule]] = {
    **dict.fromkeys(("Add", "Maximum", "Minimum", "Multiply", "Subtract", "TrueDivide"), _coupled),
    **dict.fromkeys(("HardSigmoid", "HardSilu", "Relu", "Relu6", "Sigmoid", "Silu", "Tanh"), _kept),
}
