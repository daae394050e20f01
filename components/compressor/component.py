"""TFX component that makes one variant of a trained model."""

from typing import ClassVar

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import Examples, Model

from roadworthy.components.compressor.executor import CompressorExecutor
from roadworthy.models.compression.recipe import Recipe


class CompressorSpec(ComponentSpec):
    """Interface of `Compressor`."""

    INPUTS: ClassVar = {"parent": ChannelParameter(type=Model), "examples": ChannelParameter(type=Examples)}
    OUTPUTS: ClassVar = {"model": ChannelParameter(type=Model)}
    PARAMETERS: ClassVar = {
        "recipe": ExecutionParameter(type=str),
        "batch_size": ExecutionParameter(type=int),
        "seed": ExecutionParameter(type=int),
    }


class Compressor(BaseComponent):
    """Applies one recipe to the trained model; its node's id is `Compressor.<recipe's name>`.

    Output `model` holds `Format-Serving/`, a SavedModel or LiteRT version folder.
    """

    SPEC_CLASS = CompressorSpec
    EXECUTOR_SPEC = ExecutorClassSpec(CompressorExecutor)

    def __init__(
        self, *, model: BaseChannel, examples: BaseChannel, recipe: Recipe, batch_size: int = 64, seed: int = 0
    ) -> None:
        """Wires the component.

        Args:
            model: the Trainer's Model, with `Format-Keras/model.keras` and the card in `Format-Serving/`.
            examples: Examples with the split `train`, for fine-tuning and calibration.
            recipe: what to do to the model, in which order.
            batch_size: images a step of fine-tuning, at least 1.
            seed: of all that is random, at least 0.
        """
        spec = CompressorSpec(
            parent=model,
            examples=examples,
            recipe=recipe.model_dump_json(exclude_none=True),
            batch_size=batch_size,
            seed=seed,
            model=Channel(type=Model),
        )
        super().__init__(spec=spec)
        self.with_id(f"Compressor.{recipe.name}")
