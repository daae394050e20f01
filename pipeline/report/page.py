"""A run as one HTML page that needs nothing beside itself. Imports no TensorFlow or TFX."""

import datetime
import heapq
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import jinja2
from markupsafe import Markup

from roadworthy.components.gate.verdict import Verdict
from roadworthy.components.scorecard.card import Score, Scorecard
from roadworthy.pipeline.report.chart import SHAPES, point_of, scatter, symbol
from roadworthy.pipeline.report.record import RunRecord

_TEMPLATE: Final = "page.html.j2"
# Classes of the largest confusion matrix that is shown whole.
LARGEST_MATRIX: Final = 30
_CONFUSED_PAIRS: Final = 30
_UNITS: Final = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


@dataclass(frozen=True)
class Confused:
    """Images of one class that were answered with another."""

    truth: str
    answer: str
    images: int
    of: int


def render(record: RunRecord) -> str:
    """The whole page; every text of the run is escaped. Of a run that failed, what there is."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("roadworthy.pipeline", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"bytes": as_bytes, "percent": as_percent, "share": as_share, "moment": as_moment}
    scorecard, verdict = record.scorecard, record.verdict
    return environment.get_template(_TEMPLATE).render(
        record=record,
        name=record.config.get("name", "run"),
        config=json.dumps(record.config, indent=2, ensure_ascii=False),
        data_labels=sorted({label for split in record.splits for label in split.labels}),
        scorecard=scorecard,
        verdict=verdict,
        **(_measured(scorecard, verdict) if scorecard and verdict else {}),
    )


def _measured(scorecard: Scorecard, verdict: Verdict) -> dict[str, Any]:
    """What the parts of the page show that a finished run alone has."""
    models = (scorecard.parent, *scorecard.variants)
    return {
        "models": models,
        "parent": scorecard.parent,
        "labels": scorecard.labels,
        "kinds": {score.variant: kind_of(score, verdict) for score in models},
        "fates": {score.variant: fate(score.variant, verdict) for score in scorecard.variants},
        "symbols": {kind: Markup(symbol(kind)) for kind in SHAPES},  # noqa: S704 - no text of the run
        "charts": charts(scorecard, verdict),
        "heat": heat,
        "largest_matrix": LARGEST_MATRIX,
        "confused": lambda score: confused(score, scorecard.labels),
    }


def charts(scorecard: Scorecard, verdict: Verdict) -> list[dict[str, Any]]:
    """Accuracy against size and against latency."""
    models = (scorecard.parent, *scorecard.variants)

    def drawn(x: Any, **texts: Any) -> str:
        points = [point_of(score, x=x(score), kind=kind_of(score, verdict)) for score in models]
        return scatter(points, **texts)

    size = drawn(
        lambda score: score.size_gzip_bytes,
        title="Accuracy against gzipped size",
        x_title="gzipped size, logarithmic",
        x_text=as_bytes,
    )
    latency = drawn(
        lambda score: score.latency.p95_ms,
        title="Accuracy against latency",
        x_title="p95 latency of one image, ms, logarithmic",
        x_text=lambda value: f"{value:.3g} ms",
    )
    # Both are built of escaped texts alone.
    return [
        {"title": "Accuracy against size", "svg": Markup(size)},  # noqa: S704
        {"title": "Accuracy against latency", "svg": Markup(latency)},  # noqa: S704
    ]


def kind_of(score: Score, verdict: Verdict) -> str:
    """parent, chosen, front, passed or missed."""
    if score.variant not in {one.variant for one in verdict.variants}:
        return "parent"
    if score.variant == verdict.chosen:
        return "chosen"
    if score.variant in verdict.front:
        return "front"
    return "missed" if verdict.missed(score.variant) else "passed"


def fate(variant: str, verdict: Verdict) -> str:
    """What became of a variant, in a few words."""
    if variant == verdict.chosen:
        return f"chosen: the {verdict.settings.goal} that passed"
    missed = verdict.missed(variant)
    if missed:
        return f"missed {', '.join(missed)}"
    return "passed, on the front" if variant in verdict.front else "passed"


def as_bytes(count: float) -> str:
    """1,234,567 as 1.23 MB."""
    for size, unit in _UNITS:
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"


def as_percent(value: float) -> str:
    """0.1234 as 12.3%."""
    return f"{value:.1%}"


def as_share(value: float) -> str:
    """0.90349 as 0.9035."""
    return f"{value:.4f}"


def heat(count: int, of: int) -> str:
    """How dark a cell of a confusion matrix is, a share from 0 to 1 of its row."""
    return f"{count / of if of else 0:.3f}"


def confused(score: Score, labels: Sequence[str]) -> list[Confused]:
    """The pairs of classes that a model confuses most, most images first."""
    pairs = (
        Confused(labels[truth], labels[answer], images, sum(row))
        for truth, row in enumerate(score.confusion)
        for answer, images in enumerate(row)
        if images and truth != answer
    )
    return heapq.nlargest(_CONFUSED_PAIRS, pairs, key=lambda pair: pair.images)


def as_moment(run_id: str) -> str:
    """2026-01-02T03:04:05.678+00:00 as 2026-01-02 03:04:05 UTC."""
    moment = datetime.datetime.fromisoformat(run_id)
    return f"{moment.replace(tzinfo=moment.tzinfo or datetime.UTC).astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"
