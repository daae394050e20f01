"""Between numbers and what a LiteRT model's input and output tensors hold: float32, int8 or uint8."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

_INTEGERS: Final = (np.int8, np.uint8)


def quantize(values: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    """Puts numbers in a tensor's own type; those beyond its range become the nearest it has.

    Args:
        values: float32 of any shape.
        detail: the tensor's, as the interpreter gives it.

    Returns:
        round(values / scale) + zero point in the tensor's type; for float32 the values themselves.

    Reference: https://ai.google.dev/edge/litert/models/quantization_spec
    """
    dtype = np.dtype(detail["dtype"])
    if dtype == np.float32:
        return values
    scale, zero_point = _parameters(detail)
    limits = np.iinfo(dtype)
    return np.clip(np.round(values / scale) + zero_point, limits.min, limits.max).astype(dtype)


def dequantize(values: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    """The numbers that a tensor's values stand for, float32: (values - zero point) * scale."""
    if values.dtype == np.float32:
        return values
    scale, zero_point = _parameters(detail)
    return (values.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)


def has_numbers(detail: Mapping[str, Any]) -> bool:
    """Whether what a tensor holds can be told: float32 as it is, int8 and uint8 by one positive scale."""
    if detail["dtype"] not in _INTEGERS:
        return detail["dtype"] is np.float32
    scales = detail["quantization_parameters"]["scales"]
    return len(scales) == 1 and float(scales[0]) > 0


def _parameters(detail: Mapping[str, Any]) -> tuple[float, int]:
    parameters = detail["quantization_parameters"]
    return float(parameters["scales"][0]), int(parameters["zero_points"][0])
