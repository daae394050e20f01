"""The last blessed model measured on this run's examples, and this run's variants beside it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from roadworthy.components.scorecard.card import SCORECARD_FILE, Baseline, Scorecard
from roadworthy.components.scorecard.score import answers_file, measure_exported
from roadworthy.models.measure.answers import Truth, read_answers, read_truth
from roadworthy.models.measure.quality import parity_of
from roadworthy.models.measure.records import records_sha256
from roadworthy.models.measure.results import Parity
from roadworthy.serving.contract import ModelCard

BASELINE: Final = "baseline"
_NAMED: Final = 3


def score_baseline(
    version_dir: Path,
    *,
    scorecard_dir: Path,
    files: Sequence[str],
    split: str,
    out_dir: Path,
    make_pipeline: Callable[[], Any],
) -> Baseline:
    """Measures a model as the scorecard's were, and each of those beside it, answer by answer.

    A model of other classes can't be compared: its figures would be of answers that mean something else.

    Args:
        version_dir: the last blessed model's exported version folder.
        scorecard_dir: folder of the scorecard's artifact.
        files: globs of the split's gzip TFRecords.
        split: its name.
        out_dir: where the model's answers and TFMA's results go.
        make_pipeline: makes the Beam pipeline that TFMA runs on.
    """
    scorecard = Scorecard.model_validate_json((scorecard_dir / SCORECARD_FILE).read_text())
    if difference := _other_classes(ModelCard.read(version_dir).labels, scorecard.labels):
        return Baseline(split=split, left_out=f"The last blessed model can't be compared: {difference}.")
    truth = read_truth(files)
    model = measure_exported(
        version_dir, name=BASELINE, files=files, truth=truth, out_dir=out_dir, make_pipeline=make_pipeline
    )
    same = scorecard.examples_sha256 == records_sha256(files)
    return Baseline(
        split=split, model=model, parities=_parities(scorecard, scorecard_dir, out_dir, truth) if same else {}
    )


def _parities(scorecard: Scorecard, scorecard_dir: Path, out_dir: Path, truth: Truth) -> dict[str, Parity]:
    last = read_answers(answers_file(out_dir, BASELINE))
    return {
        score.variant: parity_of(last, read_answers(answers_file(scorecard_dir, score.variant)), truth)
        for score in scorecard.variants
    }


def _other_classes(known: Sequence[str], labels: Sequence[str]) -> str:
    """How the classes a model knows differ from the run's; empty where they are the same in the same order."""
    lacks = [label for label in labels if label not in known]
    more = [label for label in known if label not in labels]
    if lacks or more:
        said = [
            f"it {verb} {_some(names)}" for verb, names in (("does not know", lacks), ("also knows", more)) if names
        ]
        return " and ".join(said)
    return "" if tuple(known) == tuple(labels) else "its classes are in another order"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
