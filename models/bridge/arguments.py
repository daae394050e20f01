"""Calls a tf_keras layer with what the graph of a Keras 3 model gives its counterpart."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras.src.engine.keras_tensor import KerasTensor

from roadworthy.models.bridge.hosted import hold
from roadworthy.models.bridge.layer import unsupported

_VARIADIC: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def call_twin(
    twin: tf_keras.layers.Layer, leaf: keras.layers.Layer, args: Sequence[Any], kwargs: Mapping[str, Any], *, path: str
) -> Any:
    """Gives the first argument by place and the others by name, as the two Kerases order them differently.

    Args:
        twin: the layer to call.
        leaf: its Keras 3 counterpart.
        args: tensors of tf_keras and constants.
        kwargs: likewise, by name.
        path: names the layer, and those that hold its constants.

    Raises:
        UnsupportedLayer: the twin takes no such argument, or not of this shape.
    """
    (_, first), *others = _by_name(leaf, args, kwargs)
    named = {key: value for key, value in others if not _is_default(leaf, key, value)}
    if unknown := sorted(set(named) - set(inspect.signature(twin.call).parameters)):
        raise unsupported(path, leaf, reason=f"it is called with {unknown}")
    first, named = _held((first, named), path=path)
    try:
        return twin(first, **named)
    except (TypeError, ValueError) as error:
        raise unsupported(path, leaf, reason=str(error)) from error


def _by_name(leaf: keras.layers.Layer, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[tuple[str, Any]]:
    signature = inspect.signature(leaf.call)
    if any(parameter.kind in _VARIADIC for parameter in signature.parameters.values()):
        return [*zip(signature.parameters, args, strict=False), *kwargs.items()]
    return list(signature.bind(*args, **kwargs).arguments.items())


def _is_default(leaf: keras.layers.Layer, key: str, value: Any) -> bool:
    """Whether an argument says nothing: it is unset, or what the layer takes it for anyway."""
    parameter = inspect.signature(leaf.call).parameters.get(key)
    return value is None or (parameter is not None and isinstance(value, bool | str) and value == parameter.default)


def _held(values: Any, *, path: str) -> Any:
    """The values with a layer's output in place of every array."""
    flat = tf.nest.flatten(values)
    beside = next((value for value in flat if isinstance(value, KerasTensor)), None)
    held = [
        hold(value, beside=beside, path=f"{path}/constant_{place}") if _is_array(value) else value
        for place, value in enumerate(flat)
    ]
    return tf.nest.pack_sequence_as(values, held)


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray | tf.Tensor) and not isinstance(value, KerasTensor)
