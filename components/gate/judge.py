"""Holds every variant to the budgets and picks the best that keeps them. Imports no TensorFlow or TFX."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from roadworthy.components.gate.budgets import Budgets, GateSettings
from roadworthy.components.gate.limits import Limit, parse_latency, parse_quality, parse_size
from roadworthy.components.gate.verdict import LAST_BLESSED, PARENT, Check, Judged, Verdict
from roadworthy.components.scorecard.card import Baseline, Measured, Score, Scorecard
from roadworthy.models.measure.results import Interval, Slice

# 0.86 - 0.85 is above 0.01 in binary floats. A billionth lets an exact limit pass and is less than one image of any
# data set, or one byte of any ratio, makes.
TOLERANCE: Final = 1e-9

_NO_DROP: Final = ": inside the noise, no drop"

# What each goal wants least of. The rest breaks ties, so that what is chosen is on the front, and the name so that no
# order of inputs matters.
GOALS: Final[dict[str, Callable[[Score], tuple[Any, ...]]]] = {
    "smallest": lambda score: (
        score.size_gzip_bytes,
        -score.accuracy,
        score.latency.p95_ms,
        score.size_bytes,
        score.variant,
    ),
    "fastest": lambda score: (score.latency.p95_ms, score.size_gzip_bytes, -score.accuracy, score.variant),
    "best": lambda score: (-score.accuracy, score.size_gzip_bytes, score.latency.p95_ms, score.variant),
}


def judge(scorecard: Scorecard, baseline: Baseline | None, settings: GateSettings) -> Verdict:
    """Checks every variant against every budget, then chooses among those that passed all of them.

    A value passes when it is within its limit to 1e-9, so that exactly the limit passes. A drop in accuracy whose 95%
    interval holds 0 counts as none, and so does one in a slice whose limit is relative.

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
    passed_names = {variant.variant for variant in judged if variant.passed}
    passed = [score for score in scorecard.variants if score.variant in passed_names]
    best = min(passed, key=GOALS[settings.goal], default=None)
    return Verdict(
        settings=settings,
        variants=judged,
        chosen=best.variant if best else None,
        front=tuple(score.variant for score in pareto_front(passed)),
        warnings=tuple(_warnings(scorecard, baseline, settings.budgets)),
    )


def pareto_front(scores: Sequence[Score]) -> list[Score]:
    """Those that no other beats, in being as accurate, as small gzipped and as quick at p95, and better in one."""
    costs = {id(score): (-score.accuracy, score.size_gzip_bytes, score.latency.p95_ms) for score in scores}

    def beaten(score: Score) -> bool:
        own = costs[id(score)]
        return any(
            other != own and all(theirs <= ours for theirs, ours in zip(other, own, strict=True))
            for other in costs.values()
        )

    return [score for score in scores if not beaten(score)]


def _checks(score: Score, parent: Score, baseline: Baseline | None, budgets: Budgets) -> Iterator[Check]:
    if budgets.min_accuracy is not None:
        yield _at_least("min_accuracy", score.accuracy, parent.accuracy, parse_quality(budgets.min_accuracy))
    if budgets.max_quality_drop is not None:
        yield from _drops(score, parent, baseline, parse_quality(budgets.max_quality_drop))
    if budgets.min_slice_quality is not None:
        yield _worst_slice(score, parent, parse_quality(budgets.min_slice_quality))
    if budgets.max_size is not None:
        yield _at_most("max_size", score.size_bytes, parent.size_bytes, parse_size(budgets.max_size))
    if budgets.max_latency_p95 is not None:
        limit = parse_latency(budgets.max_latency_p95)
        yield _at_most("max_latency_p95", score.latency.p95_ms, parent.latency.p95_ms, limit)


def _drops(score: Score, parent: Score, baseline: Baseline | None, limit: Limit) -> Iterator[Check]:
    if score.parity is not None:
        yield _drop(score.parity.accuracy_drop, parent.accuracy, limit, PARENT, score.parity.drop_interval)
    else:
        yield _unpaired_drop(score, parent, limit, PARENT)
    if baseline is None or baseline.model is None:
        return
    last, parity = baseline.model, baseline.parities.get(score.variant)
    if parity is not None:
        yield _drop(parity.accuracy_drop, last.accuracy, limit, LAST_BLESSED, parity.drop_interval)
    else:
        yield _unpaired_drop(score, last, limit, LAST_BLESSED)


def _unpaired_drop(score: Score, reference: Measured, limit: Limit, against: Any) -> Check:
    drop, interval = reference.accuracy - score.accuracy, _unpaired(reference, score)
    return _drop(drop, reference.accuracy, limit, against, interval, how=", not paired by image")


def _drop(drop: float, reference: float, limit: Limit, against: Any, interval: Interval, *, how: str = "") -> Check:
    noise = _is_noise(drop, interval)
    shown = (
        f"{100 * drop:.2f} points, 95% interval {100 * interval.low:.2f} to {100 * interval.high:.2f}{how}"
        f"{_NO_DROP if noise else ''}"
    )
    counted = 0.0 if noise else drop
    measured = counted / reference if limit.relative and reference else counted
    return _check("max_quality_drop", measured, limit.value, against=against, relative=limit.relative, note=shown)


def _is_noise(drop: float, interval: Interval) -> bool:
    return drop > 0 and interval.low <= 0


def _unpaired(reference: Measured, score: Measured) -> Interval:
    """The interval of a drop from those of both accuracies, as if they had been measured on different examples."""
    drop = reference.accuracy - score.accuracy
    half = math.hypot(*((one.interval.high - one.interval.low) / 2 for one in (reference, score)))
    return Interval(low=drop - half, high=drop + half)


def _worst_slice(score: Score, parent: Score, limit: Limit) -> Check:
    """The slice that is nearest to, or furthest below, its own limit."""
    parents = {(one.feature, one.value): one.accuracy for one in parent.slices}
    own = {(one.feature, one.value): one for one in score.slices}
    if not parents or own.keys() != parents.keys():
        return Check(
            budget="min_slice_quality",
            limit=limit.value,
            measured=0.0,
            passed=False,
            note="no slices to judge: set scorecard.slices" if not parents else "its slices are not the parent's",
        )
    # Of slices that count alike, the one that lost most is told.
    by_loss = sorted(own, key=lambda key: own[key].accuracy - parents[key])
    return min((_slice_check(own[key], parents[key], limit) for key in by_loss), key=lambda check: check.measured)


def _slice_check(own: Slice, parents: float, limit: Limit) -> Check:
    noise = _counts_as_parents(own, parents, limit)
    shown = f"{own.feature}={own.value}: {own.accuracy:.4f} of {own.examples} images, the parent {parents:.4f}"
    accuracy = parents if noise else own.accuracy
    return _at_least("min_slice_quality", accuracy, parents, limit, note=f"{shown}{_NO_DROP if noise else ''}")


def _counts_as_parents(own: Slice, parents: float, limit: Limit) -> bool:
    """Whether a slice's drop is noise, where the limit is one on the drop: an absolute one is on what is measured."""
    return limit.relative and own.drop_interval is not None and _is_noise(parents - own.accuracy, own.drop_interval)


def _warnings(scorecard: Scorecard, baseline: Baseline | None, budgets: Budgets) -> Iterator[str]:
    """What was left out, and where there are too few examples to tell a drop of the budget's size from noise."""
    if baseline is not None and baseline.left_out:
        yield baseline.left_out
    if budgets.max_quality_drop is None:
        return
    limit = parse_quality(budgets.max_quality_drop)
    points = limit.value * (scorecard.parent.accuracy if limit.relative else 1)
    for score in scorecard.variants:
        if score.parity is None:
            continue
        interval = score.parity.drop_interval
        half = (interval.high - interval.low) / 2
        if half > points + TOLERANCE:
            yield (
                f"{score.variant}: {score.examples} test images tell its accuracy from the parent's within "
                f"{100 * half:.2f} points, more than the {100 * points:.2f} that max_quality_drop allows. "
                "Measure on more images."
            )


def _at_least(budget: str, measured: float, reference: float, limit: Limit, *, note: str = "") -> Check:
    value = _share(measured, reference) if limit.relative else measured
    against = PARENT if limit.relative else None
    return _check(budget, value, limit.value, against=against, relative=limit.relative, note=note, least=True)


def _share(measured: float, reference: float) -> float:
    """Whatever is at least nothing keeps any share of nothing."""
    return measured / reference if reference else 1.0


def _at_most(budget: str, measured: float, reference: float, limit: Limit) -> Check:
    value = measured / reference if limit.relative else measured
    against = PARENT if limit.relative else None
    return _check(budget, value, limit.value, against=against, relative=limit.relative)


def _check(
    budget: str, measured: float, limit: float, *, against: Any, relative: bool, note: str = "", least: bool = False
) -> Check:
    passed = measured >= limit - TOLERANCE if least else measured <= limit + TOLERANCE
    return Check(
        budget=budget, limit=limit, measured=measured, against=against, relative=relative, passed=passed, note=note
    )
