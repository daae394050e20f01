"""Scatter charts of models as SVG, without a library or a script: they print, scale and need no network."""

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from roadworthy.components.scorecard.card import Score

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 18, 46
_TICKS: Final = 5
# Labels nearer than this to one that is drawn already move down.
_LABEL_HEIGHT: Final = 13
_LABEL_WIDTH: Final = 96


@dataclass(frozen=True)
class Point:
    """One model in a chart."""

    label: str
    x: float
    y: float
    low: float
    high: float
    kind: str


def scatter(points: Sequence[Point], *, title: str, x_title: str, x_text: Callable[[float], str]) -> str:
    """Accuracy, with its interval, against a cost; the cost on a logarithmic axis, the front as a line.

    Args:
        points: models, at least one, with x above 0.
        title: read out by screen readers.
        x_title: under the axis.
        x_text: a tick's text.
    """
    x_at, y_at = _x_axis(points), _y_axis(points)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">',
        f"<title>{html.escape(title)}</title>",
        *_y_ticks(points, y_at),
        *_x_ticks(points, x_at, x_text),
        f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{html.escape(x_title)}</text>",
        _front(points, x_at, y_at),
        *(_mark(point, x_at, y_at) for point in points),
        *_labels(points, x_at, y_at),
        "</svg>",
    ]
    return "\n".join(parts)


def point_of(score: Score, *, x: float, kind: str) -> Point:
    """A model's point; `kind` is one of parent, chosen, front, passed, missed and names its colour."""
    return Point(score.variant, x, score.accuracy, score.interval.low, score.interval.high, kind)


def _x_axis(points: Sequence[Point]) -> Callable[[float], float]:
    low, high = math.log(min(point.x for point in points)), math.log(max(point.x for point in points))
    pad = max(0.15, 0.12 * (high - low))
    span = WIDTH - LEFT - RIGHT
    return lambda x: LEFT + span * (math.log(x) - low + pad) / (high - low + 2 * pad)


def _y_axis(points: Sequence[Point]) -> Callable[[float], float]:
    low, high = min(point.low for point in points), max(point.high for point in points)
    pad = max(0.002, 0.08 * (high - low))
    span = HEIGHT - TOP - BOTTOM
    return lambda y: HEIGHT - BOTTOM - span * (y - low + pad) / (high - low + 2 * pad)


def _y_ticks(points: Sequence[Point], y_at: Callable[[float], float]) -> list[str]:
    low, high = min(point.low for point in points), max(point.high for point in points)
    values = [low + (high - low) * tick / (_TICKS - 1) for tick in range(_TICKS)]
    return [
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y_at(value):.1f}" y2="{y_at(value):.1f}"/>'
        f'<text class="tick" x="{LEFT - 8}" y="{y_at(value) + 4:.1f}" text-anchor="end">{value:.3f}</text>'
        for value in values
    ]


def _x_ticks(points: Sequence[Point], x_at: Callable[[float], float], x_text: Callable[[float], str]) -> list[str]:
    low, high = math.log(min(point.x for point in points)), math.log(max(point.x for point in points))
    values = sorted({math.exp(low + (high - low) * tick / (_TICKS - 1)) for tick in range(_TICKS)})
    return [
        f'<text class="tick" x="{x_at(value):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">'
        f"{html.escape(x_text(value))}</text>"
        for value in values
    ]


def _front(points: Sequence[Point], x_at: Callable[[float], float], y_at: Callable[[float], float]) -> str:
    """The front in this chart's two dimensions; a model may be on the whole front for its third."""
    passed = sorted((point for point in points if point.kind in {"chosen", "front", "passed"}), key=lambda one: one.x)
    best: list[Point] = []
    for point in passed:
        if not best or point.y > best[-1].y:
            best.append(point)
    path = " ".join(f"{x_at(point.x):.1f},{y_at(point.y):.1f}" for point in best)
    return f'<polyline class="front" points="{path}"/>'


def _mark(point: Point, x_at: Callable[[float], float], y_at: Callable[[float], float]) -> str:
    x, y = x_at(point.x), y_at(point.y)
    told = f"{point.label}: accuracy {point.y:.4f} ({point.low:.4f} to {point.high:.4f})"
    return (
        f'<g class="{point.kind}"><title>{html.escape(told)}</title>'
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y_at(point.low):.1f}" y2="{y_at(point.high):.1f}"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5"/></g>'
    )


def _labels(points: Sequence[Point], x_at: Callable[[float], float], y_at: Callable[[float], float]) -> list[str]:
    placed: list[tuple[float, float]] = []
    texts = []
    for point in sorted(points, key=lambda one: y_at(one.y)):
        x, y = x_at(point.x), y_at(point.y) + 4
        while any(abs(x - other) < _LABEL_WIDTH and abs(y - row) < _LABEL_HEIGHT for other, row in placed):
            y += _LABEL_HEIGHT
        placed.append((x, y))
        anchor, shift = ("end", -9) if x > WIDTH * 0.75 else ("start", 9)
        texts.append(
            f'<text class="label" x="{x + shift:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f"{html.escape(point.label)}</text>"
        )
    return texts
