"""TFX's Trainer, with the epochs as parameters of their own."""

from typing import Any, ClassVar

from tfx.components.trainer.component import Trainer
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto import trainer_pb2
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ExecutionParameter
from tfx.types.standard_artifacts import Model, ModelRun
from tfx.types.standard_component_specs import TrainerSpec
from tfx.utils import json_utils

from roadworthy.components.trainer.executor import FineTunerExecutor


class FineTunerSpec(TrainerSpec):
    """Interface of `FineTuner`: TFX's, and the epochs."""

    PARAMETERS: ClassVar = {
        **TrainerSpec.PARAMETERS,
        "head_epochs": ExecutionParameter(type=int, optional=True),
        "full_epochs": ExecutionParameter(type=int, optional=True),
    }


class FineTuner(Trainer):
    """Trains by `run_fn`.

    A runner that compiles the pipeline can't put a parameter of a run into the midst of a JSON document, so the epochs
    that may change from run to run stand beside it, and take the place of those in it.
    """

    SPEC_CLASS = FineTunerSpec
    EXECUTOR_SPEC = ExecutorClassSpec(FineTunerExecutor)

    def __init__(
        self,
        *,
        run_fn: str,
        examples: BaseChannel,
        custom_config: dict[str, Any],
        head_epochs: int | RuntimeParameter | None = None,
        full_epochs: int | RuntimeParameter | None = None,
    ) -> None:
        """Wires the component.

        Args:
            run_fn: import path of the function that trains.
            examples: Examples with the splits `train` and `val`.
            custom_config: what it is given, JSON-able.
            head_epochs: in place of the config's; None leaves them.
            full_epochs: likewise.
        """
        spec = FineTunerSpec(
            examples=examples,
            train_args=trainer_pb2.TrainArgs(splits=["train"]),
            eval_args=trainer_pb2.EvalArgs(splits=["val"]),
            run_fn=run_fn,
            custom_config=json_utils.dumps(custom_config),
            head_epochs=head_epochs,
            full_epochs=full_epochs,
            model=Channel(type=Model),
            model_run=Channel(type=ModelRun),
        )
        BaseComponent.__init__(self, spec=spec)
