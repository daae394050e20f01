"""Executors of the scorecard room: artifacts to folders and values, the work elsewhere."""

import json
from pathlib import Path
from typing import Any

from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from roadworthy.components.artifacts import Artifacts, split_globs
from roadworthy.components.scorecard.baseline import score_baseline
from roadworthy.components.scorecard.card import BASELINE_FILE, SCORECARD_FILE, Baseline, Scorecard
from roadworthy.components.scorecard.score import PARENT, score_models
from roadworthy.components.scorecard.variants import variant_models
from roadworthy.models.measure.records import records_sha256
from roadworthy.serving.contract import ModelCard


class ScorecardExecutor(BaseBeamExecutor):
    """Measures the parent and its variants."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Writes `scorecard.json`."""
        folder = Path(artifact_utils.get_single_uri(output_dict["scorecard"]))
        files, split = split_globs(input_dict["examples"], exec_properties["split"]), exec_properties["split"]
        models = {PARENT: artifact_utils.get_single_instance(input_dict["parent"]), **variant_models(input_dict)}
        parent, *variants = score_models(
            {name: version_dir(model) for name, model in models.items()},
            files=files,
            slices=json.loads(exec_properties["slices"]),
            latency_calls=exec_properties["latency_calls"],
            threads=exec_properties["threads"],
            batch=exec_properties["batch"],
            out_dir=folder,
            make_pipeline=self._make_beam_pipeline,
        )
        labels = ModelCard.read(Path(parent.uri)).labels
        card = Scorecard(
            split=split,
            labels=labels,
            examples_sha256=records_sha256(files),
            parent=parent,
            variants=tuple(variants),
        )
        (folder / SCORECARD_FILE).write_text(card.model_dump_json(indent=2) + "\n")


class BaselineExecutor(BaseBeamExecutor):
    """Measures the last blessed model, if there is one."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Writes `baseline.json`."""
        folder, split = Path(artifact_utils.get_single_uri(output_dict["baseline"])), exec_properties["split"]
        baseline = Baseline(split=split)
        if _holds_a_model(input_dict.get("model")):
            baseline = score_baseline(
                version_dir(artifact_utils.get_single_instance(input_dict["model"])),
                scorecard_dir=Path(artifact_utils.get_single_uri(input_dict["scorecard"])),
                files=split_globs(input_dict["examples"], split),
                split=split,
                out_dir=folder,
                make_pipeline=self._make_beam_pipeline,
            )
        (folder / BASELINE_FILE).write_text(baseline.model_dump_json(indent=2) + "\n")


def _holds_a_model(models: list[Any] | None) -> bool:
    """Whether there is an artifact, and anything in it: a node that looks for a model may find none."""
    return any(any(Path(model.uri).iterdir()) for model in models or ())


def version_dir(model: Any) -> Path:
    """The exported version folder of a Model artifact."""
    return Path(path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model)))
