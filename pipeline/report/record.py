"""What is kept of a finished run, for those who want to read about it later. Imports no TensorFlow or TFX."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any, Final

from pydantic import Field, ValidationError

from roadworthy.components.data_check.summary import SplitSummary
from roadworthy.components.gate.verdict import Verdict
from roadworthy.components.scorecard.card import Scorecard
from roadworthy.components.serving_check.rehearsal import Rehearsal
from roadworthy.models.config import Settings
from roadworthy.pipeline.config import load_config
from roadworthy.serving.errors import ConfigError

RECORD_FILE: Final = "run.json"
RUNS_DIR: Final = "runs"
_YAML: Final = (".yaml", ".yml")


class Node(Settings):
    """One node of the run."""

    node: str
    state: str
    seconds: float


class Failure(Settings):
    """How far a run came that did not end well."""

    node: str | None = Field(None, description="That failed, or was running when the run was interrupted.")
    message: str
    interrupted: bool = False
    log: str | None = Field(None, description="File of the libraries' own messages.")


class RunRecord(Settings):
    """A run: finished, with what was measured and judged, or failed."""

    run_id: str = Field(description="When it started, ISO 8601, UTC.")
    seconds: float
    nodes: tuple[Node, ...]
    config: dict[str, Any]
    bad_images: int = Field(0, description="Images that were left out because they could not be read.")
    splits: tuple[SplitSummary, ...] = ()
    scorecard: Scorecard | None = None
    verdict: Verdict | None = None
    failure: Failure | None = None
    rehearsal: Rehearsal | None = None
    pushed: str | None = None
    published: dict[str, str] = Field(default_factory=dict, description="Variant -> its version folder, if all are.")

    @property
    def state(self) -> str:
        """In the words of runs in the cloud."""
        if self.failure is None:
            return "succeeded"
        return "cancelled" if self.failure.interrupted else "failed"


def record_path(output: Path, run_id: str) -> Path:
    """Where the record of a run is, or would be."""
    return output / RUNS_DIR / run_id.replace(":", "") / RECORD_FILE


def write_record(record: RunRecord, output: Path) -> Path:
    """Writes `runs/<run id>/run.json` below a run's output folder, whole or not at all; returns its path."""
    path = record_path(output, record.run_id)
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix=".", delete=False, encoding="utf-8") as draft:
        draft.write(record.model_dump_json(indent=2) + "\n")
    os.replace(draft.name, path)
    path.chmod(0o644)
    return path


def read_record(run: Path) -> tuple[RunRecord, Path]:
    """Reads a run's record; of several runs the newest.

    Args:
        run: the record itself, a run's output folder, or a config that names one.

    Returns:
        The record and its path.

    Raises:
        ConfigError: there is none, or it can't be read; the message says where was looked.
    """
    path = _find(run)
    try:
        return RunRecord.model_validate(json.loads(path.read_text(encoding="utf-8"))), path
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"])) or "it"
        raise ConfigError(
            f"{path} must be the record of a run by this version. Received: {where}: {fault['msg']}."
        ) from (error)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} must be the record of a run by this version. Received: {error}.") from error


def _find(run: Path) -> Path:
    if not run.exists():
        raise ConfigError(
            f"A run's output folder, config or {RECORD_FILE} must exist. Received: {run}, which does not."
        )
    if run.suffix in _YAML and run.is_file():
        run = load_config(run).output
    if run.is_file():
        return run
    records = sorted(run.glob(f"{RUNS_DIR}/*/{RECORD_FILE}"))
    if not records:
        raise ConfigError(
            f"A run must be given: its output folder, its config, or its {RECORD_FILE}. "
            f"Received: {run}, with no {RUNS_DIR}/*/{RECORD_FILE} in it. Start one with: roadworthy run CONFIG"
        )
    return records[-1]
