"""Executor of `Compressor`: artifacts to folders, the work in `models.compression`."""

from pathlib import Path
from typing import Any, Final

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from roadworthy.components.artifacts import Artifacts, split_globs
from roadworthy.models.compression.recipe import Recipe
from roadworthy.serving.contract import ModelCard

_SPLIT: Final = "train"


class CompressorExecutor(BaseExecutor):
    """Makes one variant of the trained model."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Writes `Format-Serving/`, a version folder whose card carries the recipe's name."""
        from roadworthy.models.compression.compress import compress
        from roadworthy.models.finetuning.run_fn import KERAS_FILE

        trained = artifact_utils.get_single_uri(input_dict["parent"])
        compress(
            Path(trained) / KERAS_FILE,
            recipe=Recipe.model_validate_json(exec_properties["recipe"]),
            card=ModelCard.read(Path(path_utils.serving_model_dir(trained))),
            train_files=split_globs(input_dict["examples"], _SPLIT),
            batch_size=exec_properties["batch_size"],
            seed=exec_properties["seed"],
            out_dir=Path(path_utils.serving_model_dir(artifact_utils.get_single_uri(output_dict["model"]))),
        )
