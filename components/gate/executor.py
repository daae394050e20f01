"""Executor of `Gate`: reads what was measured, writes verdict, blessing and the chosen model."""

from pathlib import Path
from typing import Any, Final

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from roadworthy.components.artifacts import Artifacts
from roadworthy.components.gate.blessing import write_blessing
from roadworthy.components.gate.budgets import Budgets, GateSettings
from roadworthy.components.gate.judge import judge
from roadworthy.components.gate.verdict import VERDICT_FILE
from roadworthy.components.scorecard.card import BASELINE_FILE, SCORECARD_FILE, Baseline, Scorecard
from roadworthy.components.scorecard.variants import variant_models

_VARIANT: Final = "variant"


class GateExecutor(BaseExecutor):
    """Blesses the best variant that stays within every budget."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Writes `verdict.json` and the blessing, and copies the chosen variant, if there is one."""
        verdict = judge(_read_scorecard(input_dict), _read_baseline(input_dict), _settings(exec_properties))
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        (Path(blessing.uri) / VERDICT_FILE).write_text(verdict.model_dump_json(indent=2) + "\n")
        chosen = variant_models(input_dict)[verdict.chosen] if verdict.chosen else None
        if chosen is not None:
            model = artifact_utils.get_single_instance(output_dict["model"])
            io_utils.copy_dir(path_utils.serving_model_dir(chosen.uri), path_utils.serving_model_dir(model.uri))
            model.set_string_custom_property(_VARIANT, verdict.chosen)
        write_blessing(blessing, chosen)


def _settings(exec_properties: dict[str, Any]) -> GateSettings:
    """The settings, with the budgets of this run where it has its own."""
    written = {name: value for name in Budgets.model_fields if (value := exec_properties.get(name)) is not None}
    return GateSettings.model_validate_json(exec_properties["settings"]).with_budgets(written)


def _read_scorecard(input_dict: Artifacts) -> Scorecard:
    folder = Path(artifact_utils.get_single_uri(input_dict["scorecard"]))
    return Scorecard.model_validate_json((folder / SCORECARD_FILE).read_text())


def _read_baseline(input_dict: Artifacts) -> Baseline | None:
    if not input_dict.get("baseline"):
        return None
    folder = Path(artifact_utils.get_single_uri(input_dict["baseline"]))
    return Baseline.model_validate_json((folder / BASELINE_FILE).read_text())
