"""The arithmetic of `keras.ops` that has an exact tf_keras layer; MobileNetV3's `x + 3.0` is the usual case."""

from collections.abc import Callable
from numbers import Real
from typing import Any, Final

import keras
import tf_keras

from roadworthy.models.bridge.layer import unsupported

Tensor = Any

_OF_TENSORS: Final[dict[str, type]] = {
    "Add": tf_keras.layers.Add,
    "Multiply": tf_keras.layers.Multiply,
    "Subtract": tf_keras.layers.Subtract,
}

# (scale, offset) of the Rescaling layer that stands for `tensor <operation> number`.
_WITH_NUMBER: Final[dict[str, Callable[[float], tuple[float, float]]]] = {
    "Add": lambda number: (1.0, number),
    "Multiply": lambda number: (number, 0.0),
    "Subtract": lambda number: (1.0, -number),
    "TrueDivide": lambda number: (1.0 / number, 0.0),
}
_COMMUTES: Final = frozenset({"Add", "Multiply"})


def apply_operation(operation: keras.Operation, *operands: Any, path: str) -> Tensor:
    """Computes two-sided arithmetic as a layer: of two tensors, or of a tensor and a number.

    Raises:
        UnsupportedLayer: any other operation.
    """
    kind = type(operation).__name__
    match [isinstance(operand, Real) for operand in operands]:
        case [False, False] if kind in _OF_TENSORS:
            return _OF_TENSORS[kind](name=path)(list(operands))
        case [False, True] if kind in _WITH_NUMBER:
            return _rescale(kind, *operands, path=path)
        case [True, False] if kind in _COMMUTES:
            return _rescale(kind, *reversed(operands), path=path)
    raise unsupported(path, operation, reason="of keras.ops only + - * / with a number, and + - * of tensors, cross")


def _rescale(kind: str, tensor: Tensor, number: float, *, path: str) -> Tensor:
    scale, offset = _WITH_NUMBER[kind](float(number))
    return tf_keras.layers.Rescaling(scale, offset=offset, name=path)(tensor)
