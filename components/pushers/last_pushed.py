"""TFX component that fetches the model on the road, where the runner can't look for artifacts of earlier runs."""

from typing import Any, ClassVar

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import artifact_utils
from tfx.types.channel import Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import Model
from tfx.utils import io_utils, path_utils

from roadworthy.components.artifacts import Artifacts
from roadworthy.components.pushers.bucket import latest_version


class LastPushedSpec(ComponentSpec):
    """Interface of `LastPushed`."""

    INPUTS: ClassVar[dict[str, ChannelParameter]] = {}
    OUTPUTS: ClassVar = {"model": ChannelParameter(type=Model)}
    PARAMETERS: ClassVar = {
        "model_root": ExecutionParameter(type=str),
        "name": ExecutionParameter(type=str),
        "run_id": ExecutionParameter(type=str),
    }


class LastPushedExecutor(BaseExecutor):
    """Copies the latest whole version of a model."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Writes `Format-Serving/`, or nothing before the first push."""
        version = latest_version(exec_properties["model_root"], exec_properties["name"])
        if version is not None:
            model = artifact_utils.get_single_instance(output_dict["model"])
            io_utils.copy_dir(version, path_utils.serving_model_dir(model.uri))


class LastPushed(BaseComponent):
    """Stands in for a resolver of the last blessed model: what was blessed last was also pushed last.

    Output `model` holds a copy of the latest version of MODEL_ROOT/<name>/; its folder is empty when there is none.
    Kubeflow Pipelines compiles no resolver ("resolver not implemented yet"), so this node takes its place there.
    """

    SPEC_CLASS = LastPushedSpec
    EXECUTOR_SPEC = ExecutorClassSpec(LastPushedExecutor)

    def __init__(self, *, model_root: str | RuntimeParameter, name: str, run_id: str) -> None:
        """Wires the component.

        Args:
            model_root: folder of models, on this machine or in a bucket.
            name: of the model.
            run_id: differs from run to run, so that the node looks anew each time.
        """
        super().__init__(
            spec=LastPushedSpec(model_root=model_root, name=name, run_id=run_id, model=Channel(type=Model))
        )
