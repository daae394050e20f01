"""What the steps of a recipe did, kept beside the model they made. Imports no TensorFlow."""

from pathlib import Path
from typing import Final

from pydantic import Field, TypeAdapter

from roadworthy.models.compression.recipe import Step
from roadworthy.models.config import Settings

STEPS_FILE: Final = "steps.json"


class Skipped(Settings):
    """A layer that a step left as it was."""

    layer: str
    reason: str


class StepRecord(Settings):
    """One step: what was asked, how long it took, and what it left alone."""

    step: Step
    seconds: float = Field(ge=0)
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()


_RECORDS: Final = TypeAdapter(tuple[StepRecord, ...])


def write_records(records: tuple[StepRecord, ...], model_dir: Path) -> None:
    """Writes `steps.json` into the folder of a Model artifact."""
    (model_dir / STEPS_FILE).write_bytes(_RECORDS.dump_json(records, indent=2, exclude_none=True) + b"\n")


def read_records(model_dir: Path) -> tuple[StepRecord, ...]:
    """Reads `steps.json`; none for a model that no step has made."""
    path = model_dir / STEPS_FILE
    return _RECORDS.validate_json(path.read_bytes()) if path.is_file() else ()
