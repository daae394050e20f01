"""A run as one HTML page that needs nothing beside itself. Imports no TensorFlow or TFX."""

from typing import Any, Final

import jinja2
from markupsafe import Markup

from roadworthy.components.gate.verdict import Verdict
from roadworthy.components.scorecard.card import Score, Scorecard
from roadworthy.pipeline.report.chart import point_of, scatter
from roadworthy.pipeline.report.record import RunRecord

_TEMPLATE: Final = "page.html.j2"
_UNITS: Final = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def render(record: RunRecord) -> str:
    """The whole page; every text of the run is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("roadworthy.pipeline", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"bytes": as_bytes, "percent": as_percent, "share": as_share}
    scorecard, verdict = record.scorecard, record.verdict
    models = (scorecard.parent, *scorecard.variants)
    return environment.get_template(_TEMPLATE).render(
        record=record,
        name=record.config.get("name", "run"),
        models=models,
        parent=scorecard.parent,
        labels=scorecard.labels,
        verdict=verdict,
        fates={score.variant: fate(score.variant, verdict) for score in scorecard.variants},
        judged={one.variant: one for one in verdict.variants},
        charts=charts(scorecard, verdict),
        heat=heat,
    )


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
        x_title="p95 latency at batch 1, ms, logarithmic",
        x_text=lambda value: f"{value:.2g}",
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
