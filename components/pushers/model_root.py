"""TFX component that publishes a blessed model where a server reads it."""

from pathlib import Path
from typing import ClassVar

from tfx.dsl.compiler.constants import PIPELINE_RUN_ID_PARAMETER_NAME
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import InfraBlessing, Model, ModelBlessing, PushedModel

from roadworthy.components.pushers.executor import ModelRootPusherExecutor


class ModelRootPusherSpec(ComponentSpec):
    """Interface of `ModelRootPusher`."""

    INPUTS: ClassVar = {
        "model": ChannelParameter(type=Model),
        "model_blessing": ChannelParameter(type=ModelBlessing),
        "infra_blessing": ChannelParameter(type=InfraBlessing, optional=True),
    }
    OUTPUTS: ClassVar = {"pushed_model": ChannelParameter(type=PushedModel)}
    PARAMETERS: ClassVar = {
        "model_root": ExecutionParameter(type=str),
        "name": ExecutionParameter(type=str),
        "run_id": ExecutionParameter(type=str),
    }


class ModelRootPusher(BaseComponent):
    """Publishes a blessed model to MODEL_ROOT/<name>/<version>/; without every blessing it publishes nothing.

    Output `pushed_model` holds `pushed.json` (`pushed.Pushed`), and TFX's own custom properties `pushed`,
    `pushed_destination` and `pushed_version`. A model whose files are the latest version's is not pushed again.

    The node is never taken from the cache: what lies in the model root is no input TFX knows, and may have been
    deleted since. TFX switches its cache on or off for whole pipelines only, so the run's id is made a parameter.
    """

    SPEC_CLASS = ModelRootPusherSpec
    EXECUTOR_SPEC = ExecutorClassSpec(ModelRootPusherExecutor)

    def __init__(
        self,
        *,
        model: BaseChannel,
        model_blessing: BaseChannel,
        model_root: Path | str | RuntimeParameter,
        name: str,
        infra_blessing: BaseChannel | None = None,
        run_id: str | RuntimeParameter | None = None,
    ) -> None:
        """Wires the component.

        Args:
            model: the gate's Model.
            model_blessing: the gate's ModelBlessing.
            infra_blessing: the rehearsal's InfraBlessing, whose model with warm-up records is pushed if it holds one;
                None pushes without a rehearsal.
            model_root: folder of models, on this machine or in a bucket; made when missing.
            name: name clients will ask for.
            run_id: differs from run to run; None: what TFX's own runners call a run by.
        """
        spec = ModelRootPusherSpec(
            model=model,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            model_root=model_root if isinstance(model_root, RuntimeParameter) else str(model_root),
            name=name,
            run_id=run_id or RuntimeParameter(name=PIPELINE_RUN_ID_PARAMETER_NAME, ptype=str),
            pushed_model=Channel(type=PushedModel),
        )
        super().__init__(spec=spec)
