"""TFX's own InfraValidator, for those who have Docker or Kubernetes, where the gate may have chosen no model."""

from typing import Any

from tfx.components.infra_validator.executor import Executor
from tfx.types import artifact_utils

from roadworthy.components.artifacts import Artifacts
from roadworthy.components.gate.blessing import is_blessed
from roadworthy.components.serving_check.infra_blessing import write_infra_blessing


class InfraValidatorExecutor(Executor):
    """Validates what the gate chose; TFX's would fail on the empty folder of a model that it refused."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """As TFX's; without a chosen model it blesses nothing."""
        if is_blessed(artifact_utils.get_single_instance(input_dict.pop("model_blessing"))):
            super().Do(input_dict, output_dict, exec_properties)
        else:
            blessing = artifact_utils.get_single_instance(output_dict["blessing"])
            write_infra_blessing(blessing, blessed=False, has_model=False)
