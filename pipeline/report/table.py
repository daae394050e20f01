"""The variants of a run side by side, as text."""

from typing import Final

from roadworthy.components.gate.verdict import Verdict
from roadworthy.components.scorecard.card import Score, Scorecard

_HEADER: Final = (
    "variant", "accuracy", "worst recall", "bytes", "of parent", "gzipped", "p50 ms", "p95 ms", "zeros", "gate",
)  # fmt: skip


def table(scorecard: Scorecard, verdict: Verdict) -> str:
    """The parent and its variants as a text table; widths fit the content."""
    rows = [_HEADER, _row(scorecard.parent, scorecard.parent, "parent")]
    for score in scorecard.variants:
        rows.append(_row(score, scorecard.parent, _fate(score.variant, verdict)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    """Words at the left, numbers at the right of their columns."""
    first, *numbers, fate = row
    aligned = [number.rjust(width) for number, width in zip(numbers, widths[1:-1], strict=True)]
    return "  ".join([first.ljust(widths[0]), *aligned, fate])


def _row(score: Score, parent: Score, fate: str) -> tuple[str, ...]:
    return (
        score.variant,
        f"{score.accuracy:.4f}",
        _worst_recall(score),
        f"{score.size_bytes:,}",
        f"{score.size_bytes / parent.size_bytes:.3f}",
        f"{score.size_gzip_bytes:,}",
        f"{score.latency.p50_ms:.2f}",
        f"{score.latency.p95_ms:.2f}",
        f"{score.sparsity:.1%}",
        fate,
    )


def _worst_recall(score: Score) -> str:
    label, recall = min(score.recall.items(), key=lambda item: item[1])
    return f"{label} {recall:.3f}"


def _fate(variant: str, verdict: Verdict) -> str:
    if variant == verdict.chosen:
        return "chosen"
    missed = verdict.missed(variant)
    return f"missed {', '.join(missed)}" if missed else "passed"
