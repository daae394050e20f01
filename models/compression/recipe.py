"""What a compression recipe says, as frozen values. Imports no TensorFlow."""

from typing import Literal

from pydantic import Field, model_validator

from roadworthy.models.config import Settings


class Prune(Settings):
    """TF-MOT magnitude pruning of kernels with fine-tuning; polynomial schedule, then stripped."""

    sparsity: float = Field(gt=0, lt=1, description="Share of each pruned kernel's weights that end as zero.")
    epochs: int = Field(1, ge=1, le=1000)
    learning_rate: float = Field(3e-4, gt=0, le=1)


class Quantize(Settings):
    """LiteRT post-training quantisation to int8 weights and activations; float32 at the borders."""

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
            raise ValueError(
                f"A step must have exactly one of the keys {sorted(Step.model_fields)}. Received: {given}."
            )
        return self


class Recipe(Settings):
    """An ordered list of steps that makes one variant of the trained model."""

    name: str = Field(pattern="^[a-z0-9][a-z0-9-]{0,40}$", description="Names the variant and its pipeline node.")
    steps: tuple[Step, ...] = Field(min_length=1)
