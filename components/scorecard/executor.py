"""Executors of the scorecard room: artifacts to folders and values, the work elsewhere."""

import json
from pathlib import Path
from typing import Any, Final

from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from roadworthy.components.artifacts import Artifacts, split_globs
from roadworthy.components.scorecard.card import BASELINE_FILE, SCORECARD_FILE, Baseline, Measured, Scorecard
from roadworthy.components.scorecard.score import measure_exported, score_models
from roadworthy.components.scorecard.variants import variant_models
from roadworthy.models.measure.answers import read_truth
from roadworthy.serving.contract import ModelCard

BASELINE: Final = "baseline"


class ScorecardExecutor(BaseBeamExecutor):
    """Measures the parent and its variants."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Writes `scorecard.json`."""
        folder = Path(artifact_utils.get_single_uri(output_dict["scorecard"]))
        models = {"parent": artifact_utils.get_single_instance(input_dict["parent"]), **variant_models(input_dict)}
        parent, *variants = score_models(
            {name: version_dir(model) for name, model in models.items()},
            files=split_globs(input_dict["examples"], exec_properties["split"]),
            slices=json.loads(exec_properties["slices"]),
            latency_calls=exec_properties["latency_calls"],
            threads=exec_properties["threads"],
            batch=exec_properties["batch"],
            out_dir=folder,
            make_pipeline=self._make_beam_pipeline,
        )
        labels = ModelCard.read(Path(parent.uri)).labels
        card = Scorecard(split=exec_properties["split"], labels=labels, parent=parent, variants=tuple(variants))
        (folder / SCORECARD_FILE).write_text(card.model_dump_json(indent=2) + "\n")


class BaselineExecutor(BaseBeamExecutor):
    """Measures the last blessed model, if there is one."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Writes `baseline.json`."""
        folder = Path(artifact_utils.get_single_uri(output_dict["baseline"]))
        model = self._measured(input_dict, folder, exec_properties) if input_dict.get("model") else None
        baseline = Baseline(split=exec_properties["split"], model=model)
        (folder / BASELINE_FILE).write_text(baseline.model_dump_json(indent=2) + "\n")

    def _measured(self, input_dict: Artifacts, folder: Path, exec_properties: dict[str, Any]) -> Measured:
        files = split_globs(input_dict["examples"], exec_properties["split"])
        return measure_exported(
            version_dir(artifact_utils.get_single_instance(input_dict["model"])),
            name=BASELINE,
            files=files,
            truth=read_truth(files),
            out_dir=folder,
            make_pipeline=self._make_beam_pipeline,
        )


def version_dir(model: Any) -> Path:
    """The exported version folder of a Model artifact."""
    return Path(path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model)))
