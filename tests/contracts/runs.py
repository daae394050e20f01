"""A finished run, as `roadworthy run` records it."""

from contracts.scores import score, scorecard
from roadworthy.components.data_check.summary import Sides, SplitSummary
from roadworthy.components.gate.budgets import Budgets, GateSettings
from roadworthy.components.gate.judge import judge
from roadworthy.models.compression.recipe import Prune, Step
from roadworthy.models.compression.record import Skipped, StepRecord
from roadworthy.pipeline.report.record import Failure, Node, RunRecord

SLICES = {"day": 0.9, "night": 0.7, "<b>dusk": 0.8}
HOSTILE = "<script>alert(1)</script>"
LONG = "платье 👗 " + "a-class-name-without-an-end-" * 8


def split(name: str, images: int) -> SplitSummary:
    sides = Sides(smallest=24, median=96, largest=4000)
    labels = {LONG: images // 3, HOSTILE: images - images // 3}
    return SplitSummary(split=name, images=images, labels=labels, height=sides, width=sides)


def record() -> RunRecord:
    step = StepRecord(
        step=Step(prune=Prune()),
        seconds=3,
        skipped=(Skipped(layer=HOSTILE, reason="it has no kernel"),),
        notes=("Half of it is zero.",),
    )
    good = score("int8", drop=(0.004, -0.002, 0.010), slices=SLICES).model_copy(update={"steps": (step,)})
    bad = score("tiny-int8", accuracy=0.8, gzipped=90, p95_ms=1, drop=(0.06, 0.04, 0.08), slices=SLICES)
    card = scorecard(good, bad, slices=SLICES).model_copy(update={"labels": (LONG, HOSTILE)})
    return RunRecord(
        run_id="2026-01-02T03:04:05",
        seconds=12,
        nodes=(Node(node="Trainer", state="done", seconds=3),),
        config={"name": "pets", "seed": 7},
        bad_images=2,
        splits=(split("train", 1200), split("test", 300)),
        scorecard=card,
        verdict=judge(card, None, GateSettings(budgets=Budgets(max_size="30%"))),
    )


def refused() -> RunRecord:
    """A run none of whose variants passed."""
    whole = record()
    verdict = judge(whole.scorecard, None, GateSettings(budgets=Budgets(max_size="1%")))
    return whole.model_copy(update={"verdict": verdict})


def failed() -> RunRecord:
    """A run that came as far as the Trainer."""
    return RunRecord(
        run_id="2026-01-04T03:04:05.678+00:00",
        seconds=7,
        nodes=(
            Node(node="ImageFolderExampleGen", state="cached", seconds=0),
            Node(node="Trainer", state="failed", seconds=6),
        ),
        config={"name": "pets"},
        failure=Failure(node="Trainer", message=f"out of {HOSTILE} memory", log="out/logs/1.log"),
    )


def of_many_classes(count: int) -> RunRecord:
    """A run of more classes than a matrix can show."""
    whole = record()
    confusion = tuple(
        tuple(5 * (row == column) + (row == 0) * column for column in range(count)) for row in range(count)
    )
    parent = whole.scorecard.parent.model_copy(update={"confusion": confusion})
    variants = tuple(score.model_copy(update={"confusion": confusion}) for score in whole.scorecard.variants)
    labels = tuple(f"class-{number}" for number in range(count))
    card = whole.scorecard.model_copy(update={"parent": parent, "variants": variants, "labels": labels})
    return whole.model_copy(update={"scorecard": card})
