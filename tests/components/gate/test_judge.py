import pytest

from roadworthy.components.gate.budgets import Budgets, GateSettings
from roadworthy.components.gate.judge import judge
from roadworthy.components.gate.verdict import Verdict
from roadworthy.components.scorecard.card import Baseline, Measured, Score, Scorecard
from roadworthy.models.measure.results import Latency

NO_BUDGETS = dict.fromkeys(Budgets.model_fields)


def score(variant="int8", *, accuracy=0.85, size=250, gzipped=200, p95_ms=4.0):
    return Score(
        variant=variant,
        uri=f"/{variant}",
        format="litert",
        accuracy=accuracy,
        recall={"cat": accuracy},
        examples=1000,
        quality_source="litert",
        size_bytes=size,
        size_gzip_bytes=gzipped,
        latency=Latency(p50_ms=p95_ms / 2, p95_ms=p95_ms, calls=100, threads=1),
        sparsity=0,
    )


def card(*variants, **parent):
    parent = {"accuracy": 0.86, "size": 1000, "gzipped": 900, "p95_ms": 8.0} | parent
    return Scorecard(split="test", parent=score("parent", **parent), variants=variants)


def baseline(accuracy, split="test"):
    measured = score("old", accuracy=accuracy).model_dump(exclude={"latency", "sparsity"})
    return Baseline(split=split, model=Measured(**measured))


def budgets(**limits):
    return GateSettings(budgets=Budgets(**NO_BUDGETS | limits))


@pytest.mark.parametrize(
    ("limits", "exact", "beyond"),
    [
        ({"min_accuracy": 0.82}, {"accuracy": 0.82}, {"accuracy": 0.819}),
        ({"max_quality_drop": 0.01}, {"accuracy": 0.85}, {"accuracy": 0.849}),
        ({"max_size_ratio": 0.3}, {"size": 300}, {"size": 301}),
        ({"max_size_bytes": 300}, {"size": 300}, {"size": 301}),
        ({"max_latency_p95_ms": 5}, {"p95_ms": 5.0}, {"p95_ms": 5.001}),
        ({"max_latency_ratio": 0.7}, {"p95_ms": 5.6}, {"p95_ms": 5.601}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
)
class TestEachBudget:
    def test_holds_at_exactly_the_limit(self, limits, exact, beyond):
        assert judge(card(score(**exact)), None, budgets(**limits)).chosen == "int8"

    def test_is_missed_just_beyond(self, limits, exact, beyond):
        verdict = judge(card(score(**beyond)), None, budgets(**limits))
        assert verdict.chosen is None
        assert verdict.missed("int8") == tuple(limits)

    def test_that_is_null_holds_anything(self, limits, exact, beyond):
        verdict = judge(card(score(**beyond)), None, budgets())
        assert verdict.chosen == "int8"
        assert verdict.variants[0].checks == ()


def test_a_better_model_than_its_parent_has_no_drop():
    assert judge(card(score(accuracy=0.95)), None, budgets(max_quality_drop=0.0)).blessed


def test_missing_one_budget_of_many_is_enough():
    verdict = judge(card(score(size=400)), None, budgets(min_accuracy=0.8, max_size_ratio=0.3, max_latency_p95_ms=9))
    assert not verdict.blessed
    assert verdict.missed("int8") == ("max_size_ratio",)


@pytest.mark.parametrize("nothing", [None, Baseline(split="test")], ids=["no node", "no model blessed yet"])
def test_without_a_last_blessed_model_only_the_parent_counts(nothing):
    verdict = judge(card(score()), nothing, budgets(max_quality_drop=0.01))
    assert [check.against for check in verdict.variants[0].checks] == ["parent"]


def test_a_drop_against_the_last_blessed_model_is_missed_even_when_the_parent_is_matched():
    verdict = judge(card(score(accuracy=0.86)), baseline(0.88), budgets(max_quality_drop=0.01))
    assert verdict.missed("int8") == ("max_quality_drop (last blessed)",)


def test_a_drop_against_the_parent_is_missed_even_when_the_last_blessed_model_is_matched():
    verdict = judge(card(score(accuracy=0.84)), baseline(0.80), budgets(max_quality_drop=0.01))
    assert verdict.missed("int8") == ("max_quality_drop",)


def test_an_exact_drop_against_the_last_blessed_model_holds():
    assert judge(card(score(accuracy=0.86)), baseline(0.87), budgets(max_quality_drop=0.01)).blessed


def test_a_baseline_of_another_split_is_refused():
    with pytest.raises(ValueError, match=r"baseline.split must be 'test'.*Received: 'val'"):
        judge(card(score()), baseline(0.8, split="val"), budgets())


@pytest.mark.parametrize(
    "variants",
    [
        (score("a", gzipped=100, size=300), score("b", gzipped=101, size=200)),
        (score("b", gzipped=100, size=301), score("a", gzipped=100, size=300)),
        (score("b", gzipped=100, size=300), score("a", gzipped=100, size=300)),
    ],
    ids=["gzipped bytes come first", "raw bytes break the tie", "names break the rest"],
)
def test_the_smallest_that_passed_is_chosen(variants):
    assert judge(card(*variants), None, budgets()).chosen == "a"


def test_a_smaller_variant_that_missed_is_not_chosen():
    small, large = score("small", gzipped=10, accuracy=0.5), score("large", gzipped=500)
    verdict = judge(card(small, large), None, budgets(min_accuracy=0.8))
    assert verdict.chosen == "large"
    assert verdict.missed("small") == ("min_accuracy",)
    assert verdict.missed("large") == ()


def test_the_parent_itself_is_never_chosen():
    assert judge(card(score(accuracy=0.1)), None, budgets(min_accuracy=0.8)).chosen is None


def test_a_verdict_survives_json():
    verdict = judge(card(score(size=400), score("b")), baseline(0.8), GateSettings())
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


def test_the_explanation_names_every_missed_budget_with_value_and_limit():
    settings = budgets(min_accuracy=0.8, max_quality_drop=0.01, max_size_ratio=0.3)
    verdict = judge(card(score("bad", accuracy=0.7, size=400), score("good")), baseline(0.75), settings)
    assert verdict.explain().splitlines() == [
        "bad: missed",
        "  min_accuracy must be at least 0.8. Measured: 0.7",
        "  max_quality_drop against the parent model must be at most 0.01. Measured: 0.16",
        "  max_quality_drop against the last blessed model must be at most 0.01. Measured: 0.05",
        "  max_size_ratio against the parent model must be at most 0.3. Measured: 0.4",
        "good: chosen, the smallest that passed",
    ]


def test_the_explanation_tells_a_variant_that_passed_from_the_chosen_one():
    verdict = judge(card(score("a", gzipped=1), score("b", gzipped=2)), None, budgets(max_size_ratio=0.3))
    assert verdict.explain() == "a: chosen, the smallest that passed\nb: passed"
