from roadworthy.components.gate.budgets import Budgets, GateSettings
from roadworthy.components.gate.judge import judge
from roadworthy.components.scorecard.card import Score, Scorecard
from roadworthy.models.measure.results import Latency
from roadworthy.pipeline.report import table


def score(variant: str, *, accuracy: float, size_bytes: int) -> Score:
    return Score(
        variant=variant,
        uri=f"/{variant}",
        format="litert",
        accuracy=accuracy,
        recall={"cat": accuracy, "dog": accuracy - 0.2},
        examples=1000,
        quality_source="litert",
        size_bytes=size_bytes,
        size_gzip_bytes=size_bytes // 2,
        latency=Latency(p50_ms=1, p95_ms=2, calls=100, threads=1),
        sparsity=0.5,
    )


def report(*variants: Score, **budgets: float) -> list[str]:
    card = Scorecard(split="test", parent=score("parent", accuracy=0.9, size_bytes=4000), variants=variants)
    return table(card, judge(card, None, GateSettings(budgets=Budgets(**budgets)))).splitlines()


def test_variants_stand_below_their_parent_with_their_fate():
    lines = report(
        score("small", accuracy=0.895, size_bytes=1000),
        score("tiny", accuracy=0.85, size_bytes=500),
        score("middling", accuracy=0.895, size_bytes=2000),
    )

    assert [line.split()[0] for line in lines] == ["variant", "parent", "small", "tiny", "middling"]
    assert [line.split("50.0%")[-1].strip() for line in lines[1:]] == [
        "parent",
        "chosen",
        "missed max_quality_drop",
        "passed",
    ]


def test_sizes_are_told_as_a_share_of_the_parents_and_the_worst_class_is_named():
    line = report(score("small", accuracy=0.895, size_bytes=1000))[-1]

    assert "1,000" in line
    assert "0.250" in line
    assert "dog 0.695" in line


def test_columns_are_aligned():
    lines = report(score("a-long-name-of-a-recipe", accuracy=0.895, size_bytes=1_000_000))

    ends = {line.index("50.0%") for line in lines[1:]}
    assert len(ends) == 1
