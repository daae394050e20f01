"""TFX components that try the chosen model on a real server before it is pushed."""

from typing import ClassVar, Final

from tfx.components.infra_validator.component import InfraValidator
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.proto import infra_validator_pb2
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import Examples, InfraBlessing, Model, ModelBlessing
from tfx.types.standard_component_specs import InfraValidatorSpec

from roadworthy.components.gate.limits import parse_latency
from roadworthy.components.serving_check.executor import ServingCheckExecutor
from roadworthy.components.serving_check.infra_validator import InfraValidatorExecutor
from roadworthy.components.serving_check.settings import RehearsalSettings
from roadworthy.serving.contract import EXAMPLES_SIGNATURE

SPLIT: Final = "test"


class ServingCheckSpec(ComponentSpec):
    """Interface of `ServingCheck`."""

    INPUTS: ClassVar = {
        "model": ChannelParameter(type=Model),
        "model_blessing": ChannelParameter(type=ModelBlessing),
        "examples": ChannelParameter(type=Examples),
    }
    OUTPUTS: ClassVar = {"blessing": ChannelParameter(type=InfraBlessing)}
    PARAMETERS: ClassVar = {
        "name": ExecutionParameter(type=str),
        "split": ExecutionParameter(type=str),
        "settings": ExecutionParameter(type=str),
    }


class ServingCheck(BaseComponent):
    """Starts `roadworthy-model-server` on the model the gate chose and asks it over gRPC and REST.

    Output `blessing` holds TFX's file INFRA_BLESSED or INFRA_NOT_BLESSED, `rehearsal.json` (`rehearsal.Rehearsal`) and,
    in `stamped_model/`, the model with its warm-up records, where TFX's own Pusher looks for it too. A model that
    fails is not blessed; that is no failure of the node.
    """

    SPEC_CLASS = ServingCheckSpec
    EXECUTOR_SPEC = ExecutorClassSpec(ServingCheckExecutor)

    def __init__(
        self,
        *,
        model: BaseChannel,
        model_blessing: BaseChannel,
        examples: BaseChannel,
        name: str,
        settings: RehearsalSettings,
        split: str = SPLIT,
    ) -> None:
        """Wires the component.

        Args:
            model: the gate's Model.
            model_blessing: the gate's ModelBlessing.
            examples: Examples with the split.
            name: what clients will call the model.
            settings: what is asked, and what must hold.
            split: which examples are sent.
        """
        spec = ServingCheckSpec(
            model=model,
            model_blessing=model_blessing,
            examples=examples,
            name=name,
            split=split,
            settings=settings.model_dump_json(),
            blessing=Channel(type=InfraBlessing),
        )
        super().__init__(spec=spec)


class ChosenInfraValidatorSpec(InfraValidatorSpec):
    """Interface of `ChosenInfraValidator`: TFX's, and the gate's blessing."""

    INPUTS: ClassVar = {**InfraValidatorSpec.INPUTS, "model_blessing": ChannelParameter(type=ModelBlessing)}


class ChosenInfraValidator(InfraValidator):
    """TFX's InfraValidator with tensorflow/serving in Docker or Kubernetes, for the model the gate chose."""

    SPEC_CLASS = ChosenInfraValidatorSpec
    EXECUTOR_SPEC = ExecutorClassSpec(InfraValidatorExecutor)

    def __init__(
        self,
        *,
        model: BaseChannel,
        model_blessing: BaseChannel,
        examples: BaseChannel,
        name: str,
        settings: RehearsalSettings,
        split: str = SPLIT,
    ) -> None:
        """Wires the component; arguments as of `ServingCheck`."""
        spec = ChosenInfraValidatorSpec(
            model=model,
            model_blessing=model_blessing,
            examples=examples,
            blessing=Channel(type=InfraBlessing),
            serving_spec=_serving_spec(name, settings),
            validation_spec=infra_validator_pb2.ValidationSpec(
                max_loading_time_seconds=max(1, round(parse_latency(settings.max_start).value / 1000))
            ),
            request_spec=infra_validator_pb2.RequestSpec(
                tensorflow_serving=infra_validator_pb2.TensorFlowServingRequestSpec(
                    signature_names=[EXAMPLES_SIGNATURE]
                ),
                num_examples=settings.requests,
                split_name=split,
                make_warmup=settings.warm_up_requests > 0,
            ),
        )
        BaseComponent.__init__(self, spec=spec)


def _serving_spec(name: str, settings: RehearsalSettings) -> infra_validator_pb2.ServingSpec:
    spec = infra_validator_pb2.ServingSpec(
        tensorflow_serving=infra_validator_pb2.TensorFlowServing(tags=[settings.image_tag]), model_name=name
    )
    platform = spec.kubernetes if settings.by == "kubernetes" else spec.local_docker
    platform.SetInParent()
    return spec
