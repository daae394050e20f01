"""What a finished run decided, read from the artifacts its nodes left behind."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tfx.dsl.io import fileio
from tfx.utils import path_utils

from roadworthy.components.data_check.summary import read_summaries
from roadworthy.components.gate.verdict import VERDICT_FILE, Verdict
from roadworthy.components.ingest.findings import BAD_IMAGES_FILE
from roadworthy.components.pushers.pushed import PUSHED_FILE, Pushed
from roadworthy.components.scorecard.card import SCORECARD_FILE, Scorecard
from roadworthy.components.serving_check.infra_blessing import BLESSED_FILE
from roadworthy.components.serving_check.rehearsal import REHEARSAL_FILE, Rehearsal
from roadworthy.pipeline.config import RunConfig
from roadworthy.pipeline.recipe_steps import variant_id
from roadworthy.pipeline.report.record import RunRecord
from roadworthy.pipeline.report.table import table
from roadworthy.pipeline.runners.local import RunResult
from roadworthy.serving.repository import publish

_INGEST: Final = "ImageFolderExampleGen"
_STATISTICS: Final = "StatisticsGen"
_PUSHER: Final = "ModelRootPusher"
_REHEARSAL: Final = "ServingCheck"
_INFRA_VALIDATOR: Final = "ChosenInfraValidator"


@dataclass(frozen=True)
class Outcome:
    """A run's measurements, its verdict, and where the chosen variant was published."""

    result: RunResult
    scorecard: Scorecard
    verdict: Verdict
    pushed: Pushed
    rehearsal: Rehearsal | None = None
    published: Mapping[str, Path] = field(default_factory=dict)

    def with_published(self, model_root: Path) -> "Outcome":
        """The outcome after every variant was published below a model root, under its own name.

        Raises:
            DeployError: a copy failed.
        """
        folders = {
            score.variant: Path(path_utils.serving_model_dir(self.result.output(variant_id(score.variant), "model")))
            for score in self.scorecard.variants
        }
        published = {
            variant: publish(folder, model_root=model_root, name=variant).path for variant, folder in folders.items()
        }
        return replace(self, published=published)

    def text(self) -> str:
        """The table of variants, and what became of the best, for people."""
        lines = [table(self.scorecard, self.verdict), f"\n{self.scorecard.parent.examples} held-out images."]
        if self.rehearsal is not None and self.rehearsal.transports:
            lines.append(_rehearsed(self.rehearsal))
        if self.pushed.path is not None:
            lines.append(f"{'Already there' if self.pushed.already else 'Pushed'}: {self.pushed.path}")
        lines += [f"{variant}: {path}" for variant, path in self.published.items()]
        return "\n".join(lines)

    def record(self, config: RunConfig) -> RunRecord:
        """What is kept of the run, for its report."""
        examples = self.result.output(_INGEST, "examples")
        found = _is_there(examples, BAD_IMAGES_FILE)
        return RunRecord(
            **self.document(),
            config=config.model_dump(mode="json", exclude_none=True),
            bad_images=len(json.loads(_text(examples, BAD_IMAGES_FILE))["bad"]) if found else 0,
            splits=read_summaries(self.result.output(_STATISTICS, "statistics")),
        )

    def document(self) -> dict[str, Any]:
        """The run as one JSON-able value, for machines."""
        return {
            "run_id": self.result.run_id,
            "seconds": round(self.result.seconds, 1),
            "nodes": [
                {"node": event.node, "state": event.state, "seconds": round(event.seconds, 1)}
                for event in self.result.events
            ],
            "scorecard": self.scorecard.model_dump(mode="json"),
            "verdict": self.verdict.model_dump(mode="json"),
            "rehearsal": self.rehearsal and self.rehearsal.model_dump(mode="json"),
            "pushed": str(self.pushed.path) if self.pushed.path else None,
            "published": {variant: str(path) for variant, path in self.published.items()},
        }


def read_outcome(result: RunResult) -> Outcome:
    """Reads a finished run's scorecard, verdict and push."""
    return Outcome(
        result=result,
        scorecard=Scorecard.model_validate_json(_text(result.output("Scorecard", "scorecard"), SCORECARD_FILE)),
        verdict=Verdict.model_validate_json(_text(result.output("Gate", "blessing"), VERDICT_FILE)),
        pushed=_pushed(result),
        rehearsal=_rehearsal(result),
    )


def _pushed(result: RunResult) -> Pushed:
    if _PUSHER not in result.outputs:
        return Pushed()
    return Pushed.model_validate_json(_text(result.output(_PUSHER, "pushed_model"), PUSHED_FILE))


def _rehearsal(result: RunResult) -> Rehearsal | None:
    if _REHEARSAL in result.outputs:
        return Rehearsal.model_validate_json(_text(result.output(_REHEARSAL, "blessing"), REHEARSAL_FILE))
    if _INFRA_VALIDATOR in result.outputs:
        blessed = _is_there(result.output(_INFRA_VALIDATOR, "blessing"), BLESSED_FILE)
        return Rehearsal(faults=() if blessed else ("TFX's InfraValidator did not bless it; the run's log says why.",))
    return None


def _rehearsed(rehearsal: Rehearsal) -> str:
    """A rehearsal in one line."""
    times = ", ".join(f"{transport} p95 {asked.p95_ms:.1f} ms" for transport, asked in rehearsal.transports.items())
    apart = max(asked.max_difference for asked in rehearsal.transports.values())
    memory = f"{rehearsal.peak_memory_bytes / 1e6:,.0f} MB" if rehearsal.peak_memory_bytes else "memory unknown"
    return (
        f"Rehearsed on a server: {times}; first answer after {rehearsal.start_s:.1f} s, {memory}; "
        f"scores within {apart:.1g} of the file's."
    )


def _is_there(folder: str, name: str) -> bool:
    return bool(fileio.exists(f"{folder}/{name}"))


def _text(folder: str, name: str) -> str:
    with fileio.open(f"{folder}/{name}") as file:
        return str(file.read())
