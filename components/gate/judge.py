"""Holds every variant to the budgets and picks the best that keeps them. Imports no TensorFlow or TFX."""

from collections.abc import Iterator
from typing import Final

from roadworthy.components.gate.budgets import Budgets, GateSettings
from roadworthy.components.gate.verdict import LAST_BLESSED, PARENT, Check, Judged, Verdict
from roadworthy.components.scorecard.card import Baseline, Score, Scorecard

# 0.86 - 0.85 is above 0.01 in binary floats. A billionth lets an exact limit pass and is less than one image of any
# data set, or one byte of any ratio, makes.
TOLERANCE: Final = 1e-9


def judge(scorecard: Scorecard, baseline: Baseline | None, settings: GateSettings) -> Verdict:
    """Checks every variant against every budget, then chooses among those that passed all of them.

    A value passes when it is within its limit to 1e-9, so that exactly the limit passes. Of the variants that pass,
    the one with fewest gzipped bytes is chosen, then fewest raw bytes, then the first by name.

    Args:
        scorecard: the parent and its variants.
        baseline: the last blessed model, measured on the same split; None, or one without a model, is no baseline.
        settings: the budgets and the goal.

    Raises:
        ValueError: the baseline was measured on another split.
    """
    if baseline is not None and baseline.split != scorecard.split:
        raise ValueError(f"baseline.split must be {scorecard.split!r}, the scorecard's. Received: {baseline.split!r}.")
    judged = tuple(
        Judged(variant=score.variant, checks=tuple(_checks(score, scorecard.parent, baseline, settings.budgets)))
        for score in scorecard.variants
    )
    passed = {variant.variant for variant in judged if variant.passed}
    return Verdict(
        settings=settings,
        variants=judged,
        chosen=_smallest([score for score in scorecard.variants if score.variant in passed]),
    )


def _smallest(scores: list[Score]) -> str | None:
    best = min(scores, key=lambda score: (score.size_gzip_bytes, score.size_bytes, score.variant), default=None)
    return best.variant if best else None


def _checks(score: Score, parent: Score, baseline: Baseline | None, budgets: Budgets) -> Iterator[Check]:
    yield from _quality(score, parent, baseline, budgets)
    yield from _at_most("max_size_ratio", score.size_bytes / parent.size_bytes, budgets.max_size_ratio, PARENT)
    yield from _at_most("max_size_bytes", score.size_bytes, budgets.max_size_bytes)
    p95_ms = score.latency.p95_ms
    yield from _at_most("max_latency_p95_ms", p95_ms, budgets.max_latency_p95_ms)
    yield from _at_most("max_latency_ratio", p95_ms / parent.latency.p95_ms, budgets.max_latency_ratio, PARENT)


def _quality(score: Score, parent: Score, baseline: Baseline | None, budgets: Budgets) -> Iterator[Check]:
    accuracy, floor = score.accuracy, budgets.min_accuracy
    if floor is not None:
        passed = accuracy >= floor - TOLERANCE
        yield Check(budget="min_accuracy", limit=floor, measured=accuracy, passed=passed)
    yield from _at_most("max_quality_drop", parent.accuracy - accuracy, budgets.max_quality_drop, PARENT)
    if baseline is not None and baseline.model is not None:
        drop = baseline.model.accuracy - accuracy
        yield from _at_most("max_quality_drop", drop, budgets.max_quality_drop, LAST_BLESSED)


def _at_most(budget: str, measured: float, limit: float | None, against: str | None = None) -> Iterator[Check]:
    if limit is not None:
        passed = measured <= limit + TOLERANCE
        yield Check(budget=budget, limit=limit, measured=measured, against=against, passed=passed)
