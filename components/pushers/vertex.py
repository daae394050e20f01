"""TFX component that brings a blessed model to all traffic at Vertex AI."""

from typing import ClassVar

from tfx.dsl.compiler.constants import PIPELINE_RUN_ID_PARAMETER_NAME
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import Examples, InfraBlessing, Model, ModelBlessing, PushedModel

from roadworthy.components.pushers.vertex_executor import VertexPusherExecutor
from roadworthy.components.pushers.vertex_push import VertexPush


class VertexPusherSpec(ComponentSpec):
    """Interface of `VertexPusher`."""

    INPUTS: ClassVar = {
        "model": ChannelParameter(type=Model),
        "model_blessing": ChannelParameter(type=ModelBlessing),
        "infra_blessing": ChannelParameter(type=InfraBlessing, optional=True),
        "examples": ChannelParameter(type=Examples),
    }
    OUTPUTS: ClassVar = {"pushed_model": ChannelParameter(type=PushedModel)}
    PARAMETERS: ClassVar = {
        "push": ExecutionParameter(type=str),
        "split": ExecutionParameter(type=str),
        "run_id": ExecutionParameter(type=str),
    }


class VertexPusher(BaseComponent):
    """Uploads a blessed model as a version and raises its traffic in checked steps; without a blessing nothing happens.

    A missed check takes the version back and fails the node. Output `pushed_model` has TFX's own custom properties
    `pushed`, `pushed_destination` (the endpoint's resource name) and `pushed_version`. The node is never taken from the
    cache, as `ModelRootPusher` isn't: what is deployed is no input TFX knows.
    """

    SPEC_CLASS = VertexPusherSpec
    EXECUTOR_SPEC = ExecutorClassSpec(VertexPusherExecutor)

    def __init__(
        self,
        *,
        model: BaseChannel,
        model_blessing: BaseChannel,
        examples: BaseChannel,
        push: VertexPush,
        infra_blessing: BaseChannel | None = None,
        run_id: str | RuntimeParameter | None = None,
        split: str = "test",
    ) -> None:
        """Wires the component.

        Args:
            model: the gate's Model.
            model_blessing: the gate's ModelBlessing.
            examples: the ingest's Examples, whose first images are sent to both versions.
            push: where, in and on what, and how fast.
            infra_blessing: the rehearsal's InfraBlessing; None pushes without a rehearsal.
            run_id: a label of the version; None: what TFX's own runners call a run by.
            split: of the examples.
        """
        spec = VertexPusherSpec(
            model=model,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            examples=examples,
            push=push.model_dump_json(),
            split=split,
            run_id=run_id or RuntimeParameter(name=PIPELINE_RUN_ID_PARAMETER_NAME, ptype=str),
            pushed_model=Channel(type=PushedModel),
        )
        super().__init__(spec=spec)
