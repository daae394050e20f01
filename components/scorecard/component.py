"""TFX components that measure models: the variants beside their parent, and the last blessed model."""

import json
from collections.abc import Mapping, Sequence
from typing import ClassVar

from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import Examples, Model

from roadworthy.components.scorecard import executor
from roadworthy.components.scorecard.artifacts import BaselineArtifact, ScorecardArtifact
from roadworthy.components.scorecard.variants import variant_channels, with_variants
from roadworthy.serving.contract import LABEL_TEXT_KEY


class ScorecardSpec(ComponentSpec):
    """Interface of `Scorecard`; each instance has one `variant_<recipe>` input more for every variant."""

    INPUTS: ClassVar = {"parent": ChannelParameter(type=Model), "examples": ChannelParameter(type=Examples)}
    OUTPUTS: ClassVar = {"scorecard": ChannelParameter(type=ScorecardArtifact)}
    PARAMETERS: ClassVar = {
        "split": ExecutionParameter(type=str),
        "latency_calls": ExecutionParameter(type=int),
        "threads": ExecutionParameter(type=int),
        "batch": ExecutionParameter(type=int),
        "slices": ExecutionParameter(type=str),
    }


class Scorecard(BaseBeamComponent):
    """Measures a trained model and its variants from their exported files, in one run on one split.

    Output `scorecard` holds `scorecard.json` (`card.Scorecard`), every model's answers in `answers/<variant>.npy`, and
    TFMA's results below `tfma/<variant>/`.
    """

    SPEC_CLASS = ScorecardSpec
    EXECUTOR_SPEC = BeamExecutorSpec(executor.ScorecardExecutor)

    def __init__(
        self,
        *,
        parent: BaseChannel,
        examples: BaseChannel,
        variants: Mapping[str, BaseChannel],
        split: str = "test",
        latency_calls: int = 200,
        threads: int = 2,
        batch: int = 32,
        slices: Sequence[str] = (LABEL_TEXT_KEY,),
    ) -> None:
        """Wires the component.

        Args:
            parent: the Trainer's Model.
            examples: Examples with the split.
            variants: recipe name -> the Compressor's Model.
            split: which examples are measured on.
            latency_calls: timed calls at batch 1, of each model, at least 1.
            threads: threads one timed call may use, at least 1.
            batch: images a call while throughput is measured, at least 1.
            slices: scalar features of the examples to slice quality by.
        """
        spec = with_variants(ScorecardSpec, variants)(
            parent=parent,
            examples=examples,
            **variant_channels(variants),
            split=split,
            latency_calls=latency_calls,
            threads=threads,
            batch=batch,
            slices=json.dumps(list(slices)),
            scorecard=Channel(type=ScorecardArtifact),
        )
        super().__init__(spec=spec)


class BaselineScoreSpec(ComponentSpec):
    """Interface of `BaselineScore`."""

    INPUTS: ClassVar = {
        "examples": ChannelParameter(type=Examples),
        "scorecard": ChannelParameter(type=ScorecardArtifact),
        "model": ChannelParameter(type=Model, optional=True),
    }
    OUTPUTS: ClassVar = {"baseline": ChannelParameter(type=BaselineArtifact)}
    PARAMETERS: ClassVar = {"split": ExecutionParameter(type=str)}


class BaselineScore(BaseBeamComponent):
    """Measures quality and size of the last blessed model on this run's examples, and this run's variants beside it.

    A node of its own, because the last blessed model changes when the heavy scorecard has no need to.
    Output `baseline` holds `baseline.json` (`card.Baseline`), whose model is null before the first blessing.
    """

    SPEC_CLASS = BaselineScoreSpec
    EXECUTOR_SPEC = BeamExecutorSpec(executor.BaselineExecutor)

    def __init__(
        self, *, examples: BaseChannel, scorecard: BaseChannel, model: BaseChannel | None = None, split: str = "test"
    ) -> None:
        """Wires the component.

        Args:
            examples: Examples with the split.
            scorecard: of this run, measured on the same.
            model: a Resolver's Model, which may be empty.
            split: which examples are measured on; the scorecard's.
        """
        spec = BaselineScoreSpec(
            examples=examples,
            scorecard=scorecard,
            model=model,
            split=split,
            baseline=Channel(type=BaselineArtifact),
        )
        super().__init__(spec=spec)
