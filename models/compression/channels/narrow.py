"""Builds the narrower network: the same layers with fewer channels, and the weights that stay."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from roadworthy.models.bridge.graph import leaves
from roadworthy.models.compression.channels.coupling import Coupling, Ports
from roadworthy.models.compression.channels.rules import NARROWED
from roadworthy.models.compression.rebuild import copy_of, rebuild

Stays = npt.NDArray[np.bool_]


def narrow(model: keras.Model, coupling: Coupling, stays: Stays) -> keras.Model:
    """Builds a model without the channels that don't stay.

    Args:
        model: the model that was coupled; left as it is.
        coupling: its channels.
        stays: for every channel by its number whether it stays; the same for all that are coupled.

    Returns:
        A functional model of the same layers at the same paths.
    """
    paths = {id(leaf): path for path, leaf in leaves(model).items()}

    def replace(leaf: keras.Operation) -> keras.Operation:
        return copy_of(leaf, **_changes(leaf, coupling.ports.get(paths[id(leaf)]), stays))

    narrowed = rebuild(model, replace)
    there = leaves(narrowed)
    for path, leaf in leaves(model).items():
        for weight, kept in zip(getattr(leaf, "weights", ()), getattr(there[path], "weights", ()), strict=True):
            kept.assign(_slice(leaf, weight, coupling.ports[path], stays))
    return narrowed


def _changes(leaf: keras.Operation, ports: Ports | None, stays: Stays) -> dict[str, Any]:
    """The options of a layer that say how many channels it has."""
    if ports is None:
        return {}
    left = int(np.count_nonzero(stays[ports.given]))
    if type(leaf) in NARROWED:
        return {NARROWED[type(leaf)]: left}
    if isinstance(leaf, keras.layers.Reshape) and leaf.target_shape[-1] != -1:
        return {"target_shape": (*leaf.target_shape[:-1], left)}
    return {}


def _slice(leaf: keras.Layer, weight: keras.Variable, ports: Ports, stays: Stays) -> npt.NDArray[Any]:
    values: npt.NDArray[Any] = weight.numpy()
    if stays[ports.taken].all() and stays[ports.given].all():
        # Of a layer without a rule, whose channels all stay, nothing is known but this.
        return values
    for axis, channels in _axes(leaf, weight, ports):
        values = np.compress(stays[channels], values, axis=axis)
    return values


def _axes(leaf: keras.Layer, weight: keras.Variable, ports: Ports) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """The axes of a weight that count channels, and which."""
    match leaf, weight.name:
        case keras.layers.Conv2DTranspose(), "kernel":
            yield from ((-2, ports.given), (-1, ports.taken))
        case (keras.layers.DepthwiseConv2D(), "kernel") | (keras.layers.SeparableConv2D(), "depthwise_kernel"):
            yield -2, ports.taken
        case keras.layers.SeparableConv2D(), "pointwise_kernel":
            yield from ((-2, np.repeat(ports.taken, leaf.depth_multiplier)), (-1, ports.given))
        case _, "kernel":
            yield from ((-2, ports.taken), (-1, ports.given))
        case _:
            # A bias, a normalisation's statistics or a PReLU's slopes; a number alone is a counter or a seed.
            if weight.ndim:
                yield -1, ports.given
