"""Executor of `Compressor`: artifacts to folders, the work in `models.compression`."""

from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from roadworthy.components.artifacts import Artifacts, split_globs
from roadworthy.models.compression.recipe import Step
from roadworthy.models.config import AugmentationSettings, ModuleFile
from roadworthy.serving.contract import ModelCard

_SPLIT: Final = "train"


class CompressorExecutor(BaseExecutor):
    """Takes one step of a recipe."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Writes the model that the step makes; a variant is exported as well."""
        from roadworthy.models.compression.compress import take_step
        from roadworthy.models.module_file import run_module_file

        if exec_properties["module"]:
            run_module_file(ModuleFile.model_validate_json(exec_properties["module"]))
        trained = artifact_utils.get_single_uri(input_dict["trained"])
        take_step(
            Path(artifact_utils.get_single_uri(input_dict["parent"])),
            steps=steps_of(exec_properties),
            variant=exec_properties["variant"] or None,
            card=ModelCard.read(Path(path_utils.serving_model_dir(trained))),
            trained_dir=Path(trained),
            train_files=split_globs(input_dict["examples"], _SPLIT),
            batch_size=exec_properties["batch_size"],
            augmentation=AugmentationSettings.model_validate_json(exec_properties["augmentation"]),
            seed=exec_properties["seed"],
            out_dir=Path(artifact_utils.get_single_uri(output_dict["model"])),
        )


def steps_of(exec_properties: dict[str, Any]) -> tuple[Step, ...]:
    """The steps, up to and with the one to take, which has the epochs of this run.

    Raises:
        ValueError: a number of epochs out of range, or for a step that does not fine-tune.
    """
    *earlier, step = TypeAdapter(tuple[Step, ...]).validate_json(exec_properties["steps"])
    epochs = exec_properties.get("epochs")
    return (*earlier, step if epochs is None else step.with_epochs(epochs))
