"""Operations of `keras.ops`, of which some have an exact tf_keras layer; MobileNetV3's `x + 3.0` is the usual case."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras
from tf_keras.src.engine.keras_tensor import KerasTensor

from roadworthy.models.bridge.hosted import host, may_be_hosted
from roadworthy.models.bridge.layer import unsupported

Tensor = Any
Constant = npt.NDArray[Any]

# Axes of [batch, height, width, channels] that a global pooling goes over.
_SPATIAL: Final = ((1, 2), [1, 2])
_IMAGE_RANK: Final = 4

_OF_TENSORS: Final[dict[str, type]] = {
    "Add": tf_keras.layers.Add,
    "Multiply": tf_keras.layers.Multiply,
    "Subtract": tf_keras.layers.Subtract,
    "Maximum": tf_keras.layers.Maximum,
    "Minimum": tf_keras.layers.Minimum,
}

# (scale, offset) of the Rescaling layer that stands for `tensor <operation> constant`.
_WITH_CONSTANT: Final[dict[str, Callable[[Constant], tuple[Any, Any]]]] = {
    "Add": lambda constant: (1.0, constant),
    "Multiply": lambda constant: (constant, 0.0),
    "Subtract": lambda constant: (1.0, -constant),
    "TrueDivide": lambda constant: (1.0 / constant, 0.0),
    "Divide": lambda constant: (1.0 / constant, 0.0),
}
# Likewise for `constant <operation> tensor`.
_OF_CONSTANT: Final[dict[str, Callable[[Constant], tuple[Any, Any]]]] = {
    "Add": _WITH_CONSTANT["Add"],
    "Multiply": _WITH_CONSTANT["Multiply"],
    "Subtract": lambda constant: (-1.0, constant),
}


# Of one tensor, with the options they have by default; TF-MOT has QAT schemes for these layers.
_OF_TENSOR: Final[dict[str, Callable[[keras.Operation, str], tf_keras.layers.Layer]]] = {
    "Relu": lambda _, name: tf_keras.layers.ReLU(name=name),
    "Relu6": lambda _, name: tf_keras.layers.ReLU(6.0, name=name),
    "Sigmoid": lambda _, name: tf_keras.layers.Activation("sigmoid", name=name),
    "Silu": lambda _, name: tf_keras.layers.Activation("swish", name=name),
    "Softmax": lambda operation, name: tf_keras.layers.Softmax(operation.axis, name=name),
    "Tanh": lambda _, name: tf_keras.layers.Activation("tanh", name=name),
}


def apply_operation(operation: keras.Operation, args: Sequence[Any], kwargs: Mapping[str, Any], *, path: str) -> Tensor:
    """Computes an operation of `keras.ops` as a layer: tf_keras's own where it has one, and else by Keras 3 itself.

    Args:
        operation: of a functional model.
        args: tensors of tf_keras and constants.
        kwargs: likewise, by name.
        path: the layer's name.

    Raises:
        UnsupportedLayer: the operation is someone's own.
    """
    if not may_be_hosted(operation):
        raise unsupported(path, operation, reason="it is none of keras.ops")
    operands = [*args, *(value for value in kwargs.values() if value is not None)]
    output = _as_layer(operation, operands, path=path) if all(map(_is_float, operands)) else None
    return host(operation, args, kwargs, path=path) if output is None else output


def _as_layer(operation: keras.Operation, operands: Sequence[Any], *, path: str) -> Tensor | None:
    """The output of tf_keras's own layer for it; None if there is none."""
    kind = type(operation).__name__
    match [_is_constant(operand) for operand in operands]:
        case [False] if kind in _OF_TENSOR:
            return _OF_TENSOR[kind](operation, path)(operands[0])
        case [False] if kind == "Mean" and operation.axis in _SPATIAL and len(operands[0].shape) == _IMAGE_RANK:
            return tf_keras.layers.GlobalAveragePooling2D(keepdims=operation.keepdims, name=path)(operands[0])
        case [False, False] if kind in _OF_TENSORS:
            return _OF_TENSORS[kind](name=path)(list(operands))
        case [False, True] if kind in _WITH_CONSTANT:
            return _rescale(_WITH_CONSTANT[kind], operands[0], operands[1], path=path)
        case [True, False] if kind in _OF_CONSTANT:
            return _rescale(_OF_CONSTANT[kind], operands[1], operands[0], path=path)
    return None


def _is_float(operand: Any) -> bool:
    """Whether it is a number, an array or a float32 tensor: a layer would turn another into that."""
    return not isinstance(operand, KerasTensor) or operand.dtype == tf.float32


def _is_constant(operand: Any) -> bool:
    return not isinstance(operand, KerasTensor)


def _rescale(rule: Callable[[Constant], tuple[Any, Any]], tensor: Tensor, constant: Any, *, path: str) -> Tensor:
    value = np.asarray(keras.ops.convert_to_numpy(constant), np.float32)
    # A list, so that the layer's config can be written down.
    scale, offset = (np.asarray(part).tolist() for part in rule(value))
    return tf_keras.layers.Rescaling(scale, offset=offset, name=path)(tensor)
