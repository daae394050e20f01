"""What a compression recipe says, as frozen values. Imports no TensorFlow."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from roadworthy.models.config import Settings


class StepSettings(Settings):
    """The settings of one kind of step."""

    # A converting step ends a recipe: what it makes can be served, not trained.
    converts: ClassVar[bool] = False


class Prune(StepSettings):
    """TF-MOT magnitude pruning of kernels with fine-tuning; polynomial schedule, then stripped."""

    sparsity: float = Field(gt=0, lt=1, description="Share of each pruned kernel's weights that end as zero.")
    epochs: int = Field(1, ge=1, le=1000)
    learning_rate: float = Field(3e-4, gt=0, le=1, description="At the start; falls to zero along a cosine.")


class Quantize(StepSettings):
    """LiteRT post-training quantisation to int8 weights and activations; float32 at the borders."""

    converts: ClassVar[bool] = True

    type: Literal["int8"] = "int8"
    calibration_images: int = Field(128, ge=1, le=100_000, description="Representative images of the training split.")


class Step(Settings):
    """One step of a recipe; exactly one key is given."""

    prune: Prune | None = None
    quantize: Quantize | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "Step":
        given = sorted(self.model_fields_set)
        if len(given) != 1 or getattr(self, given[0]) is None:
            raise ValueError(f"must have exactly one of the keys {sorted(Step.model_fields)}. Received: {given}.")
        return self

    @property
    def kind(self) -> str:
        """The one key that is given."""
        return next(iter(self.model_fields_set))

    @property
    def settings(self) -> StepSettings:
        """The value of that key."""
        settings: StepSettings = getattr(self, self.kind)
        return settings


class Recipe(Settings):
    """An ordered list of steps that makes one variant of the trained model."""

    name: str = Field(pattern="^[a-z0-9][a-z0-9-]{0,40}$", description="Names the variant and its pipeline node.")
    steps: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _converts_last(self) -> "Recipe":
        kinds = [step.kind for step in self.steps]
        for step in self.steps[:-1]:
            if step.settings.converts:
                raise ValueError(f"must have the step {step.kind} last. Received: {' -> '.join(kinds)}.")
        return self
