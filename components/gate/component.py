"""TFX component that decides which variant may be pushed."""

from collections.abc import Mapping
from typing import ClassVar

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import Model, ModelBlessing

from roadworthy.components.gate.budgets import Budgets, GateSettings
from roadworthy.components.gate.executor import GateExecutor
from roadworthy.components.scorecard.artifacts import BaselineArtifact, ScorecardArtifact
from roadworthy.components.scorecard.variants import variant_channels, with_variants


class GateSpec(ComponentSpec):
    """Interface of `Gate`; each instance has one `variant_<recipe>` input more for every variant."""

    INPUTS: ClassVar = {
        "scorecard": ChannelParameter(type=ScorecardArtifact),
        "baseline": ChannelParameter(type=BaselineArtifact, optional=True),
    }
    OUTPUTS: ClassVar = {
        "model": ChannelParameter(type=Model),
        "blessing": ChannelParameter(type=ModelBlessing),
    }
    PARAMETERS: ClassVar = {
        "settings": ExecutionParameter(type=str),
        **{budget: ExecutionParameter(type=str, optional=True) for budget in Budgets.model_fields},
    }


class Gate(BaseComponent):
    """Blesses the best variant that stays within every budget.

    Output `blessing` holds TFX's file BLESSED or NOT_BLESSED and `verdict.json` (`verdict.Verdict`), and names the
    chosen variant's Model, so that `LatestBlessedModelStrategy` finds it in the next run. Output `model` holds a copy
    of the chosen variant's `Format-Serving/`; its folder is empty when no variant passed, which is no failure here.
    """

    SPEC_CLASS = GateSpec
    EXECUTOR_SPEC = ExecutorClassSpec(GateExecutor)

    def __init__(
        self,
        *,
        scorecard: BaseChannel,
        variants: Mapping[str, BaseChannel],
        settings: GateSettings,
        baseline: BaseChannel | None = None,
        budgets: Mapping[str, RuntimeParameter] | None = None,
    ) -> None:
        """Wires the component.

        Args:
            scorecard: of the same variants.
            variants: recipe name -> the Compressor's Model.
            settings: budgets and goal.
            baseline: the last blessed model's score.
            budgets: those that may change from run to run, in place of the settings', by name; each is a string as
                one would write it in the YAML file.
        """
        spec = with_variants(GateSpec, variants)(
            scorecard=scorecard,
            baseline=baseline,
            **variant_channels(variants),
            settings=settings.model_dump_json(),
            **(budgets or {}),
            model=Channel(type=Model),
            blessing=Channel(type=ModelBlessing),
        )
        super().__init__(spec=spec)
