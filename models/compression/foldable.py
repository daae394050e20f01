"""Decides which normalisations and rescalings can be folded into a kernel without changing an answer."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import keras
import numpy as np
from keras import layers

from roadworthy.models.bridge.graph import leaves
from roadworthy.models.compression.record import Skipped
from roadworthy.models.compression.wiring import Link, links

_BEFORE_NORM: Final = (
    layers.Conv2D,
    layers.Conv2DTranspose,
    layers.Dense,
    layers.DepthwiseConv2D,
    layers.SeparableConv2D,
)
_BEHIND_RESCALING: Final = (layers.Conv2D, layers.Dense, layers.DepthwiseConv2D)


@dataclass(frozen=True)
class Folds:
    """What goes where.

    Attributes:
        norms: by the path of a layer with a kernel, the normalisation of its output that goes into it.
        rescalings: by the path of a layer with a kernel, the rescaling of its input that goes into it.
        away: paths of the layers that go.
        skipped: normalisations and rescalings that stay, and why.
    """

    norms: dict[str, layers.BatchNormalization]
    rescalings: dict[str, layers.Rescaling]
    away: frozenset[str]
    skipped: tuple[Skipped, ...]


def find_folds(model: keras.Model, *, clustered: Collection[str] = ()) -> Folds:
    """Looks at every BatchNormalization and Rescaling of a model.

    Args:
        model: functional or Sequential Keras 3 model.
        clustered: paths of the layers whose kernels share their values between channels.

    Raises:
        UnsupportedLayer: a model in it is subclassed.
    """
    named, linked = leaves(model), links(model)
    norms, rescalings, away, skipped = {}, {}, set(), []
    for path, leaf in named.items():
        if type(leaf) not in (layers.BatchNormalization, layers.Rescaling):
            continue
        try:
            if type(leaf) is layers.BatchNormalization:
                feeder = _feeder(path, leaf, named, linked)
                if feeder in clustered:
                    raise _Stays(f"{feeder!r} before it is clustered, and each channel would get values of its own")
                norms[feeder] = leaf
            else:
                rescalings[_reader(path, leaf, named, linked)] = leaf
            away.add(path)
        except _Stays as reason:
            skipped.append(Skipped(layer=path, reason=str(reason)))
    return Folds(norms, rescalings, frozenset(away), tuple(skipped))


class _Stays(Exception):
    """A layer can't be folded; the message says why."""


def _feeder(
    path: str, norm: layers.BatchNormalization, named: dict[str, keras.Operation], linked: dict[str, Link]
) -> str:
    """The path of the layer whose kernel can take a normalisation.

    Raises:
        _Stays: there is none.
    """
    link = _link(path, linked)
    feeder = named.get(link.feeder) if link.feeder is not None else None
    if link.feeder is None or feeder is None or type(feeder) not in _BEFORE_NORM:
        raise _Stays(f"it follows {_told(link.feeder, feeder)}, not a convolution or a dense layer")
    if link.feeder not in linked:
        raise _Stays(f"{link.feeder!r} before it is called more than once")
    if len(linked[link.feeder].readers) > 1:
        raise _Stays(f"{link.feeder!r} before it feeds other layers as well")
    if feeder.activation is not keras.activations.linear:
        raise _Stays(f"{link.feeder!r} before it has an activation of its own")
    rank = len(norm.input_spec.shape or ()) or norm.input_spec.ndim
    if norm.axis not in (-1, rank - 1) or getattr(feeder, "data_format", None) == "channels_first":
        raise _Stays("it does not normalise the last axis")
    return link.feeder


def _reader(path: str, rescaling: layers.Rescaling, named: dict[str, keras.Operation], linked: dict[str, Link]) -> str:
    """The path of the layer whose kernel can take a rescaling.

    Raises:
        _Stays: there is none.
    """
    link = _link(path, linked)
    (first, *others) = link.readers
    reader = named.get(first) if first is not None else None
    if others or first is None or type(reader) not in _BEHIND_RESCALING:
        raise _Stays(f"it feeds {_told(first, reader)}, not one convolution or dense layer alone")
    if first not in linked:
        raise _Stays(f"{first!r} behind it is called more than once")
    if np.ndim(rescaling.scale) or np.ndim(rescaling.offset):
        raise _Stays("it has a scale for each channel")
    if rescaling.offset != 0 and getattr(reader, "padding", "valid") != "valid":
        raise _Stays(f"{first!r} behind it pads with zeros, which are no zeros before an offset is added")
    return first


def _link(path: str, linked: dict[str, Link]) -> Link:
    if path not in linked:
        raise _Stays("it is called more than once, or as in training")
    return linked[path]


def _told(path: str | None, layer: keras.Operation | None) -> str:
    return "the model's border" if path is None else f"the {type(layer).__name__} {path!r}"
