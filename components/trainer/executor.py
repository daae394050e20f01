"""Executor of `FineTuner`: TFX's, after the epochs of this run were put in place."""

from collections.abc import Mapping
from typing import Any

from tfx.components.trainer.executor import GenericExecutor
from tfx.types.standard_component_specs import CUSTOM_CONFIG_KEY
from tfx.utils import json_utils

from roadworthy.components.artifacts import Artifacts
from roadworthy.models.config import TrainingRun
from roadworthy.models.finetuning.run_fn import BACKUP_DIR, TRAINING_RUN


class FineTunerExecutor(GenericExecutor):
    """Calls `run_fn`.

    Attributes:
        backup_dir: folder or bucket for backups, the same for every attempt of a run; None: near the output.
    """

    backup_dir: str | None = None

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Trains, and writes the model."""
        given = dict(exec_properties)
        epochs = {phase: given.pop(f"{phase}_epochs", None) for phase in ("head", "full")}
        config = json_utils.loads(given[CUSTOM_CONFIG_KEY])
        if TRAINING_RUN in config:
            run = with_epochs(TrainingRun.model_validate_json(config[TRAINING_RUN]), epochs)
            backups = {BACKUP_DIR: self.backup_dir} if self.backup_dir else {}
            given[CUSTOM_CONFIG_KEY] = json_utils.dumps({**config, TRAINING_RUN: run.model_dump_json(), **backups})
        super().Do(input_dict, output_dict, given)


def with_epochs(run: TrainingRun, epochs: Mapping[str, int | None]) -> TrainingRun:
    """A training with other epochs in its phases; None leaves a phase as it is.

    Raises:
        ValueError: a number out of range, or no epoch in any phase.
    """
    document = run.model_dump(mode="json")
    for phase, number in epochs.items():
        if number is not None:
            document["train"][phase]["epochs"] = number
    return TrainingRun.model_validate(document)
