"""The arithmetic of `keras.ops` that has an exact tf_keras layer; MobileNetV3's `x + 3.0` is the usual case."""

from collections.abc import Callable
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tf_keras
from tf_keras.src.engine.keras_tensor import KerasTensor

from roadworthy.models.bridge.layer import unsupported

Tensor = Any
Constant = npt.NDArray[Any]

_OF_TENSORS: Final[dict[str, type]] = {
    "Add": tf_keras.layers.Add,
    "Multiply": tf_keras.layers.Multiply,
    "Subtract": tf_keras.layers.Subtract,
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


def apply_operation(operation: keras.Operation, *operands: Any, path: str) -> Tensor:
    """Computes two-sided arithmetic as a layer: of two tensors, or of a tensor and a constant, a number or an array.

    Raises:
        UnsupportedLayer: any other operation.
    """
    kind = type(operation).__name__
    match [_is_constant(operand) for operand in operands]:
        case [False, False] if kind in _OF_TENSORS:
            return _OF_TENSORS[kind](name=path)(list(operands))
        case [False, True] if kind in _WITH_CONSTANT:
            return _rescale(_WITH_CONSTANT[kind], operands[0], operands[1], path=path)
        case [True, False] if kind in _OF_CONSTANT:
            return _rescale(_OF_CONSTANT[kind], operands[1], operands[0], path=path)
    raise unsupported(path, operation, reason="of keras.ops only + - * / with constants, and + - * of tensors, cross")


def _is_constant(operand: Any) -> bool:
    return not isinstance(operand, KerasTensor)


def _rescale(rule: Callable[[Constant], tuple[Any, Any]], tensor: Tensor, constant: Any, *, path: str) -> Tensor:
    value = np.asarray(keras.ops.convert_to_numpy(constant), np.float32)
    # A list, so that the layer's config can be written down.
    scale, offset = (np.asarray(part).tolist() for part in rule(value))
    return tf_keras.layers.Rescaling(scale, offset=offset, name=path)(tensor)
