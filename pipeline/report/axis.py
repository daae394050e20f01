"""An axis of a chart: where a value lies, and the round values that are written at it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_STEPS: Final = (1, 2, 5, 10)
_MOST_TICKS: Final = 6


@dataclass(frozen=True)
class Axis:
    """From a value to a place.

    Attributes:
        low: smallest value of the axis; above 0 where it is logarithmic.
        high: largest, above `low`.
        start: place of `low`, in the chart's units.
        stop: place of `high`.
        logarithmic: whether equal ratios, rather than equal differences, are equally far apart.
    """

    low: float
    high: float
    start: float
    stop: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """The place of a value."""
        low, high, value = (math.log(one) if self.logarithmic else one for one in (self.low, self.high, value))
        return self.start + (self.stop - self.start) * (value - low) / (high - low)

    def ticks(self) -> list[float]:
        """Round values within the axis, ascending: two at least, wherever there are any."""
        if not self.logarithmic:
            return _even_ticks(self.low, self.high)
        return _log_ticks(self.low, self.high)


def linear_axis(values: Sequence[float], *, start: float, stop: float, least: float) -> Axis:
    """An axis with some air around its values; `least` is the air where they are all but equal."""
    low, high = min(values), max(values)
    air = max(least, 0.08 * (high - low))
    return Axis(low - air, high + air, start, stop)


def log_axis(values: Sequence[float], *, start: float, stop: float) -> Axis:
    """A logarithmic axis with some air around its values, which are above 0."""
    low, high = min(values), max(values)
    air = max(1.15, (high / low) ** 0.12)
    return Axis(low / air, high * air, start, stop, logarithmic=True)


def _even_ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / (_MOST_TICKS - 1)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in _STEPS if size * factor >= rough * (1 - 1e-9))
    return [round(place * step, 12) for place in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of every decade; fewer where those are too many, even steps where they are too few."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [factor * 10.0**decade for decade in decades for factor in factors]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) <= _MOST_TICKS:
            break
    return inside[:: math.ceil(len(inside) / _MOST_TICKS)] if len(inside) > 1 else _even_ticks(low, high)
