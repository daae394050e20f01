from contracts.scores import score, scorecard
from roadworthy.components.gate.budgets import Budgets, GateSettings
from roadworthy.components.gate.judge import judge
from roadworthy.components.scorecard.card import Score
from roadworthy.pipeline.report.table import table


def report(*variants: Score, **budgets: float) -> list[str]:
    card = scorecard(*variants, accuracy=0.9, size=4000)
    return table(card, judge(card, None, GateSettings(budgets=Budgets(**budgets)))).splitlines()


def test_variants_stand_below_their_parent_with_their_fate():
    lines = report(
        score("small", accuracy=0.895, size=1000),
        score("tiny", accuracy=0.85, size=500),
        score("middling", accuracy=0.895, size=2000),
    )

    assert [line.split()[0] for line in lines] == ["variant", "parent", "small", "tiny", "middling"]
    assert [line.split("50.0%")[-1].strip() for line in lines[1:]] == [
        "parent",
        "chosen",
        "missed max_quality_drop",
        "passed",
    ]


def test_sizes_are_told_as_a_share_of_the_parents_and_the_worst_class_is_named():
    line = report(score("small", accuracy=0.895, size=1000))[-1]

    assert "1,000" in line
    assert "0.250" in line
    assert "dog 0.695" in line


def test_columns_are_aligned():
    lines = report(score("a-long-name-of-a-recipe", accuracy=0.895, size=1_000_000))

    ends = {line.index("50.0%") for line in lines[1:]}
    assert len(ends) == 1
