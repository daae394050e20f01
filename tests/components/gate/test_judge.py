import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.scores import parity, score
from contracts.scores import scorecard as card
from roadworthy.components.gate.budgets import Budgets, GateSettings
from roadworthy.components.gate.judge import GOALS, judge, pareto_front
from roadworthy.components.gate.verdict import Verdict
from roadworthy.components.scorecard.card import Baseline, Measured

NO_BUDGETS = dict.fromkeys(Budgets.model_fields)


def baseline(accuracy, split="test", **parities):
    old = dict(score("old", accuracy=accuracy))
    return Baseline(split=split, model=Measured(**{key: old[key] for key in Measured.model_fields}), parities=parities)


def budgets(**limits):
    return GateSettings(budgets=Budgets(**NO_BUDGETS | limits))


@pytest.mark.parametrize(
    ("limits", "exact", "beyond"),
    [
        ({"min_accuracy": 0.82}, {"accuracy": 0.82}, {"accuracy": 0.819}),
        ({"max_quality_drop": 0.01}, {"accuracy": 0.85}, {"accuracy": 0.849}),
        ({"min_accuracy": "95%"}, {"accuracy": 0.817}, {"accuracy": 0.816}),
        ({"max_quality_drop": "5%"}, {"accuracy": 0.817}, {"accuracy": 0.816}),
        ({"max_size": "30%"}, {"size": 300}, {"size": 301}),
        ({"max_size": 300}, {"size": 300}, {"size": 301}),
        ({"max_size": "0.3 kB"}, {"size": 300}, {"size": 301}),
        ({"max_latency_p95": "5 ms"}, {"p95_ms": 5.0}, {"p95_ms": 5.001}),
        ({"max_latency_p95": "70%"}, {"p95_ms": 5.6}, {"p95_ms": 5.601}),
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
    verdict = judge(card(score(size=400)), None, budgets(min_accuracy=0.8, max_size="30%", max_latency_p95="9 ms"))
    assert not verdict.blessed
    assert verdict.missed("int8") == ("max_size",)


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
    settings = budgets(min_accuracy=0.8, max_quality_drop=0.01, max_size="30%")
    verdict = judge(card(score("bad", accuracy=0.7, size=400), score("good")), baseline(0.75), settings)
    assert verdict.explain().splitlines() == [
        "bad: missed",
        "  min_accuracy must be at least 0.8. Measured: 0.7",
        "  max_quality_drop against the parent model must be at most 0.01. Measured: 0.16"
        " (16.00 points, 95% interval 15.99 to 16.01, not paired by image)",
        "  max_quality_drop against the last blessed model must be at most 0.01. Measured: 0.05"
        " (5.00 points, 95% interval 4.99 to 5.01, not paired by image)",
        "  max_size against the parent model must be at most 30%. Measured: 40.00%",
        "good: chosen, the smallest that passed",
    ]


def test_the_explanation_tells_a_variant_that_passed_from_the_chosen_one():
    verdict = judge(card(score("a", gzipped=1), score("b", gzipped=2)), None, budgets(max_size="30%"))
    assert verdict.explain() == "a: chosen, the smallest that passed\nb: passed"


def test_a_drop_inside_the_noise_is_no_drop_and_says_so():
    noisy = score("noisy", accuracy=0.83, drop=(0.03, -0.001, 0.061))
    verdict = judge(card(noisy), None, budgets(max_quality_drop=0.01))
    (check,) = verdict.variants[0].checks
    assert (verdict.chosen, check.measured) == ("noisy", 0)
    assert check.note == "3.00 points, 95% interval -0.10 to 6.10: inside the noise, no drop"


def test_a_drop_outside_the_noise_counts_whole():
    sure = score("sure", accuracy=0.83, drop=(0.03, 0.001, 0.059))
    assert judge(card(sure), None, budgets(max_quality_drop=0.01)).missed("sure") == ("max_quality_drop",)


def test_too_few_images_to_tell_are_a_warning():
    verdict = judge(card(score(drop=(0.01, -0.02, 0.04), examples=50)), None, budgets(max_quality_drop=0.01))
    assert verdict.warnings == (
        "int8: 50 test images tell its accuracy from the parent's within 3.00 points, more than the 1.00 that "
        "max_quality_drop allows. Measure on more images.",
    )
    assert "warning: int8: 50 test images" in verdict.explain()


@pytest.mark.parametrize(("limit", "chosen"), [(0.6, "int8"), (0.61, None), ("75%", "int8"), ("76%", None)])
def test_the_worst_slice_is_held_to_its_limit(limit, chosen):
    parent, variant = {"day": 0.9, "night": 0.8}, {"day": 0.9, "night": 0.6}
    verdict = judge(card(score(slices=variant), slices=parent), None, budgets(min_slice_quality=limit))
    assert verdict.chosen == chosen
    assert verdict.variants[0].checks[0].note == "kind=night: 0.6000 of 10 images, the parent 0.8000"


def test_slices_that_were_not_measured_hold_nothing():
    verdict = judge(card(score()), None, budgets(min_slice_quality=0.1))
    assert verdict.missed("int8") == ("min_slice_quality",)
    assert "set scorecard.slices" in verdict.explain()


@pytest.mark.parametrize(("low", "missed"), [(-0.001, ()), (0.001, ("max_quality_drop (last blessed)",))])
def test_the_drop_against_the_last_blessed_model_is_paired_where_it_can_be(low, missed):
    beside = parity(0.03, low, 0.06)
    verdict = judge(card(score(accuracy=0.86)), baseline(0.89, int8=beside), budgets(max_quality_drop=0.01))
    assert verdict.missed("int8") == missed
    assert "not paired" not in verdict.variants[0].checks[-1].note


def test_a_last_blessed_model_of_other_images_is_compared_unpaired_and_it_is_said():
    verdict = judge(card(score(accuracy=0.86)), baseline(0.88), budgets(max_quality_drop=0.01))
    assert "not paired by image" in verdict.explain()


def test_a_last_blessed_model_that_was_left_out_is_a_warning_and_no_budget():
    verdict = judge(card(score()), Baseline(split="test", left_out="It knows other classes."), GateSettings())
    assert verdict.warnings == ("It knows other classes.",)
    assert [check.against for check in verdict.variants[0].checks] == ["parent"]


def test_a_slice_on_which_the_parent_is_never_right_refuses_nobody():
    nothing = {"day": 0.9, "night": 0.0}
    verdict = judge(card(score(slices=nothing), slices=nothing), None, budgets(min_slice_quality="95%"))
    assert verdict.blessed


@pytest.mark.parametrize(("limit", "chosen"), [("95%", "int8"), (0.8, None)], ids=["relative", "absolute"])
def test_a_slices_drop_inside_the_noise_is_no_drop_but_a_floor_is_a_floor(limit, chosen):
    variant = score(slices={"day": 0.9, "night": 0.7}, slice_drops={"day": (0, 0), "night": (-0.1, 0.3)})
    verdict = judge(card(variant, slices={"day": 0.9, "night": 0.8}), None, budgets(min_slice_quality=limit))
    assert verdict.chosen == chosen
    assert ("inside the noise, no drop" in verdict.variants[0].checks[0].note) == (chosen is not None)


def test_a_slices_drop_outside_the_noise_counts():
    variant = score(slices={"night": 0.7}, slice_drops={"night": (0.01, 0.2)})
    verdict = judge(card(variant, slices={"night": 0.8}), None, budgets(min_slice_quality="95%"))
    assert verdict.missed("int8") == ("min_slice_quality",)


SMALL = score("small", gzipped=100, p95_ms=3, accuracy=0.80)
QUICK = score("quick", gzipped=200, p95_ms=1, accuracy=0.81)
RIGHT = score("right", gzipped=300, p95_ms=2, accuracy=0.85)
WORSE = score("worse", gzipped=300, p95_ms=3, accuracy=0.80)


@pytest.mark.parametrize(("goal", "chosen"), [("smallest", "small"), ("fastest", "quick"), ("best", "right")])
def test_the_goal_says_which_of_those_that_passed_is_chosen(goal, chosen):
    settings = GateSettings(budgets=Budgets(**NO_BUDGETS), goal=goal)
    verdict = judge(card(WORSE, RIGHT, QUICK, SMALL), None, settings)
    assert verdict.chosen == chosen
    assert verdict.front == ("right", "quick", "small")


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=8))
def test_every_model_is_on_the_front_or_beaten_by_one_that_is(figures):
    scores = [
        score(f"v{place}", accuracy=0.5 + right / 10, gzipped=size, p95_ms=float(p95))
        for place, (right, size, p95) in enumerate(figures)
    ]
    front = pareto_front(scores)

    def beats(one, other):
        pairs = [
            (-one.accuracy, -other.accuracy),
            (one.size_gzip_bytes, other.size_gzip_bytes),
            (one.latency.p95_ms, other.latency.p95_ms),
        ]
        return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)

    for one in scores:
        assert (one in front) == (not any(beats(other, one) for other in scores))
    assert all(min(scores, key=goal) in front for goal in GOALS.values())


SHARES = st.integers(0, 20).map(lambda twentieths: twentieths / 20)


@st.composite
def variants(draw):
    """A variant with any figures, and a drop whose interval may hold 0 or not."""
    accuracy, night = draw(SHARES), draw(SHARES)
    low, wide = draw(st.integers(-4, 4)) / 20, draw(st.integers(0, 8)) / 20
    return {
        "accuracy": accuracy,
        "size": draw(st.integers(1, 2000)),
        "gzipped": draw(st.integers(1, 20)),
        "p95_ms": float(draw(st.integers(1, 20))),
        "drop": draw(st.sampled_from([None, (0.86 - accuracy, low, low + wide)])),
        "slices": {"night": night},
        "slice_drops": draw(st.sampled_from([None, {"night": (low, low + wide)}])),
    }


@st.composite
def loosened(draw):
    """Every budget twice, the second time no stricter: higher where it is a most, lower where a least, or absent."""
    tight, loose = {}, {}
    for name in NO_BUDGETS:
        percent = [draw(st.integers(1, 100)) for _ in range(2)]
        first, second = sorted(percent, reverse=name.startswith("min_"))
        form = draw(st.sampled_from(["{}%", *([] if name.startswith("max_l") else ["absolute"])]))

        def written(value, name=name, form=form):
            if form != "absolute":
                return form.format(value)
            return value * 20 if name == "max_size" else value / 100

        tight[name] = written(first)
        loose[name] = draw(st.sampled_from([written(second), None]))
    return tight, loose


@given(st.lists(variants(), min_size=1, max_size=4), loosened(), st.sampled_from(sorted(GOALS)), SHARES)
def test_loosening_budgets_refuses_nothing_that_passed_and_what_is_chosen_is_on_the_front(
    figures, limits, goal, last_accuracy
):
    scores = [score(f"v{place}", **figure) for place, figure in enumerate(figures)]
    whole, last = card(*scores, slices={"night": 0.5}), baseline(last_accuracy)
    tight, loose = (judge(whole, last, GateSettings(budgets=Budgets(**NO_BUDGETS | one), goal=goal)) for one in limits)
    assert {one.variant for one in tight.variants if one.passed} <= {
        one.variant for one in loose.variants if one.passed
    }
    for verdict in (tight, loose):
        passed = {one.variant for one in verdict.variants if one.passed}
        assert verdict.blessed == bool(passed)
        assert set(verdict.front) <= passed
        assert verdict.chosen is None or verdict.chosen in verdict.front
        assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


@given(st.lists(variants(), min_size=2, max_size=5), st.sampled_from(sorted(GOALS)), st.randoms())
def test_the_order_of_the_variants_decides_nothing(figures, goal, shuffling):
    scores = [score(f"v{place}", **figure) for place, figure in enumerate(figures)]
    settings = GateSettings(budgets=Budgets(max_quality_drop=0.05), goal=goal)
    verdict = judge(card(*scores), None, settings)
    shuffling.shuffle(scores)
    again = judge(card(*scores), None, settings)
    assert (again.chosen, set(again.front)) == (verdict.chosen, set(verdict.front))
