"""Scatter charts of models as SVG, without a library or a script: they print, scale and need no network."""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from roadworthy.components.scorecard.card import Score
from roadworthy.pipeline.report.axis import Axis, linear_axis, log_axis

WIDTH, HEIGHT = 560, 340
LEFT, RIGHT, TOP, BOTTOM = 66, 34, 30, 58
# Labels nearer than this to one that is drawn already move down. Wide enough for the larger letters of a phone.
_LABEL_HEIGHT: Final = 19
_LETTER_WIDTH: Final = 9
_LABEL_LETTERS: Final = 24
# Shapes as well as colours, for those who see no difference between red and green. Drawn around 0, 0.
SHAPES: Final = {
    "parent": '<rect x="-5.5" y="-5.5" width="11" height="11"/>',
    "chosen": '<circle r="5"/><circle r="8.5" class="ring"/>',
    "front": '<circle r="5"/>',
    "passed": '<circle r="4" class="ring"/>',
    "missed": '<path d="M-5-5 5 5M-5 5 5-5" class="ring"/>',
}


@dataclass(frozen=True)
class Point:
    """One model in a chart; `kind` is one of `SHAPES`, and names its colour too."""

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
        x_title: under the axis, with the unit.
        x_text: a cost in words, at a tick and where a mouse rests.
    """
    x_axis = log_axis([point.x for point in points], start=LEFT, stop=WIDTH - RIGHT)
    accuracies = [end for point in points for end in (point.low, point.high)]
    y_axis = linear_axis(accuracies, start=HEIGHT - BOTTOM, stop=TOP, least=0.002)
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">',
        '<text class="axis" x="4" y="16">accuracy</text>',
        *_y_ticks(y_axis),
        *_x_ticks(x_axis, x_text),
        f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{html.escape(x_title)}</text>",
        _front(points, x_axis, y_axis),
        *(_mark(point, x_axis, y_axis, x_text) for point in points),
        *_labels(points, x_axis, y_axis),
        "</svg>",
    ]
    return "\n".join(parts)


def symbol(kind: str) -> str:
    """A kind's mark as it stands in the charts, for their key."""
    return f'<svg class="symbol" viewBox="-10 -10 20 20" aria-hidden="true"><g class="{kind}">{SHAPES[kind]}</g></svg>'


def point_of(score: Score, *, x: float, kind: str) -> Point:
    """A model's point; `kind` is one of parent, chosen, front, passed, missed and names its colour."""
    return Point(score.variant, x, score.accuracy, score.interval.low, score.interval.high, kind)


def _y_ticks(axis: Axis) -> list[str]:
    return [
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{axis.at(value):.1f}" y2="{axis.at(value):.1f}"/>'
        f'<text class="tick" x="{LEFT - 8}" y="{axis.at(value) + 5:.1f}" text-anchor="end">{value:.4g}</text>'
        for value in axis.ticks()
    ]


def _x_ticks(axis: Axis, x_text: Callable[[float], str]) -> list[str]:
    bottom = HEIGHT - BOTTOM
    return [
        f'<line class="grid" x1="{axis.at(value):.1f}" x2="{axis.at(value):.1f}" y1="{bottom}" y2="{bottom + 5}"/>'
        f'<text class="tick" x="{axis.at(value):.1f}" y="{bottom + 22}" text-anchor="middle">'
        f"{html.escape(x_text(value))}</text>"
        for value in axis.ticks()
    ]


def _front(points: Sequence[Point], x_axis: Axis, y_axis: Axis) -> str:
    """The front in this chart's two dimensions; a model may be on the whole front for its third."""
    passed = sorted((point for point in points if point.kind in {"chosen", "front", "passed"}), key=lambda one: one.x)
    best: list[Point] = []
    for point in passed:
        if not best or point.y > best[-1].y:
            best.append(point)
    path = " ".join(f"{x_axis.at(point.x):.1f},{y_axis.at(point.y):.1f}" for point in best)
    return f'<polyline class="front" points="{path}"/>'


def _mark(point: Point, x_axis: Axis, y_axis: Axis, x_text: Callable[[float], str]) -> str:
    x, y, low, high = x_axis.at(point.x), *(y_axis.at(value) for value in (point.y, point.low, point.high))
    told = (
        f"{point.label}, {point.kind}: accuracy {point.y:.4f} ({point.low:.4f} to {point.high:.4f}), {x_text(point.x)}"
    )
    return (
        f'<g class="{point.kind}" transform="translate({x:.1f} {y:.1f})"><title>{html.escape(told)}</title>'
        f'<line class="bar" y1="{low - y:.1f}" y2="{high - y:.1f}"/>{SHAPES[point.kind]}</g>'
    )


def _labels(points: Sequence[Point], x_axis: Axis, y_axis: Axis) -> list[str]:
    """Names beside the marks, towards the middle, each below those it would cover."""
    placed: list[tuple[float, float, float]] = []
    texts = []
    for point in sorted(points, key=lambda one: (y_axis.at(one.y), one.label)):
        name = point.label if len(point.label) <= _LABEL_LETTERS else f"{point.label[: _LABEL_LETTERS - 1]}…"
        x, y, width = x_axis.at(point.x), y_axis.at(point.y) + 5, len(name) * _LETTER_WIDTH
        anchor, shift, left = ("end", -13, x - width) if x > WIDTH / 2 else ("start", 13, x)
        while any(left < end and start < left + width and abs(y - row) < _LABEL_HEIGHT for start, end, row in placed):
            y += _LABEL_HEIGHT
        placed.append((left, left + width, y))
        texts.append(
            f'<text class="label" x="{x + shift:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(name)}</text>'
        )
    return texts
