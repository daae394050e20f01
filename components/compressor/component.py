"""TFX component that takes one step of a recipe."""

from collections.abc import Sequence
from typing import ClassVar, Final

from pydantic import TypeAdapter
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import Examples, Model

from roadworthy.components.compressor.executor import CompressorExecutor
from roadworthy.models.compression.recipe import Step
from roadworthy.models.config import AugmentationSettings, ModuleFile

STEPS: Final = TypeAdapter(tuple[Step, ...])


class CompressorSpec(ComponentSpec):
    """Interface of `Compressor`."""

    INPUTS: ClassVar = {
        "parent": ChannelParameter(type=Model),
        "trained": ChannelParameter(type=Model),
        "examples": ChannelParameter(type=Examples),
    }
    OUTPUTS: ClassVar = {"model": ChannelParameter(type=Model)}
    PARAMETERS: ClassVar = {
        "steps": ExecutionParameter(type=str),
        "variant": ExecutionParameter(type=str),
        "batch_size": ExecutionParameter(type=int),
        "augmentation": ExecutionParameter(type=str),
        "seed": ExecutionParameter(type=int),
        "module": ExecutionParameter(type=str),
        "epochs": ExecutionParameter(type=int, optional=True),
    }


class Compressor(BaseComponent):
    """Takes the last of some steps; recipes that begin alike share the nodes of what they have in common.

    Output `model` holds `Format-Keras/model.keras`, for a further step, and `steps.json`. A variant's also holds
    `Format-Serving/`, a SavedModel or LiteRT version folder, and beside a LiteRT one `Format-SavedModel/`.
    """

    SPEC_CLASS = CompressorSpec
    EXECUTOR_SPEC = ExecutorClassSpec(CompressorExecutor)

    def __init__(
        self,
        *,
        model: BaseChannel,
        trained: BaseChannel,
        examples: BaseChannel,
        steps: Sequence[Step],
        variant: str = "",
        batch_size: int = 64,
        augmentation: AugmentationSettings | None = None,
        seed: int = 0,
        module: ModuleFile | None = None,
        epochs: int | RuntimeParameter | None = None,
    ) -> None:
        """Wires the component.

        Args:
            model: what the steps before the last one made; the Trainer's Model for the first.
            trained: the Trainer's Model, with the card in `Format-Serving/`; a distillation's teacher.
            examples: Examples with the split `train`, for fine-tuning and calibration.
            steps: the recipe's steps, up to and with the one to take.
            variant: the recipe's name if this is its last step, which exports it; empty otherwise.
            batch_size: images a step of fine-tuning, at least 1.
            augmentation: of the images of fine-tuning; the trainer's defaults if None.
            seed: of all that is random, at least 0.
            module: registers the model's own layers; None if it has none.
            epochs: of the step to take, in place of its own; None leaves them.
        """
        spec = CompressorSpec(
            parent=model,
            trained=trained,
            examples=examples,
            steps=STEPS.dump_json(tuple(steps), exclude_none=True).decode(),
            variant=variant,
            batch_size=batch_size,
            augmentation=(augmentation or AugmentationSettings()).model_dump_json(),
            seed=seed,
            module=module.model_dump_json() if module else "",
            epochs=epochs,
            model=Channel(type=Model),
        )
        super().__init__(spec=spec)
