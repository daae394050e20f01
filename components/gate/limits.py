"""Limits as people write them: a value with its unit, or a percentage of the parent's. Imports no TensorFlow."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import AfterValidator, Field

_NUMBER: Final = r"(\d+(?:\.\d+)?|\.\d+)"
_RELATIVE: Final = re.compile(rf"{_NUMBER}\s*%")
_BYTES: Final = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_MILLISECONDS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3}
_PERCENT: Final = 100


@dataclass(frozen=True)
class Limit:
    """A limit to hold a measured value to.

    Attributes:
        value: a share of the parent's value if `relative`; otherwise bytes, milliseconds or a share of answers.
        relative: whether it is against the parent.
    """

    value: float
    relative: bool


def parse_quality(written: float | str) -> Limit:
    """A share of answers such as 0.01, or a percentage of the parent's such as "1%".

    Raises:
        ValueError: neither; or a share above 1, or above 100%.
    """
    limit = _percentage(written)
    if limit is None and isinstance(written, str):
        raise ValueError(f"must be a share such as 0.01, or a percentage such as 1%. Received: {written!r}.")
    limit = limit or Limit(float(written), relative=False)
    if limit.value > 1:
        raise ValueError(f"must be at most 1, or 100%. Received: {written!r}.")
    return limit


def parse_size(written: int | str) -> Limit:
    """Bytes such as 900000 or "4 MB", or a percentage of the parent's such as "30%".

    Raises:
        ValueError: neither, or nothing.
    """
    return _positive(_percentage(written) or _with_unit(written, _BYTES, bare=True), written)


def parse_latency(written: str) -> Limit:
    """A time such as "5 ms", or a percentage of the parent's such as "50%".

    Raises:
        ValueError: neither, or nothing.
    """
    return _positive(_percentage(written) or _with_unit(written, _MILLISECONDS, bare=False), written)


def _percentage(written: float | str) -> Limit | None:
    match = _RELATIVE.fullmatch(written.strip()) if isinstance(written, str) else None
    return Limit(float(match[1]) / _PERCENT, relative=True) if match else None


def _with_unit(written: float | str, units: Mapping[str, float], *, bare: bool) -> Limit:
    if bare and not isinstance(written, str):
        return Limit(float(written), relative=False)
    match = re.fullmatch(rf"{_NUMBER}\s*([a-zA-Z]+)", str(written).strip())
    if match is None or match[2].lower() not in units:
        raise ValueError(f"must have one of the units {', '.join(units)}, or %. Received: {written!r}.")
    return Limit(float(match[1]) * units[match[2].lower()], relative=False)


def _positive(limit: Limit, written: float | str) -> Limit:
    if not 0 < limit.value < math.inf:
        raise ValueError(f"must be above 0 and finite. Received: {written!r}.")
    return limit


def _checked_quality(written: float | str) -> float | str:
    parse_quality(written)
    return written


def _checked_size(written: int | str) -> int | str:
    parse_size(written)
    return written


def _checked_latency(written: str) -> str:
    parse_latency(written)
    return written


# Kept as they were written, for messages and for files. Strict, so that `yes` is not taken for 1.
QualityLimit = Annotated[Annotated[float, Field(ge=0, le=1, strict=True)] | str, AfterValidator(_checked_quality)]
SizeLimit = Annotated[Annotated[int, Field(gt=0, strict=True)] | str, AfterValidator(_checked_size)]
LatencyLimit = Annotated[str, AfterValidator(_checked_latency)]
