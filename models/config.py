"""How a model is built and fine-tuned, as frozen values. Imports no TensorFlow."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

IMAGENET: Final = "imagenet"
# A word and not None, which is left out where a recipe is written for its node, and would come back as the default.
RANDOM: Final = "none"

Fraction = Annotated[float, Field(ge=0, le=1)]


def beside_config(path: Path, info: ValidationInfo) -> Path:
    """A path in a config is relative to the config's own folder, which its reader gives as context."""
    scheme, *rest = path.parts or ("",)
    if scheme.endswith(":"):
        raise ValueError(
            f"must be a path of this machine. Received: {scheme}//{'/'.join(rest)}. Buckets are named in the section "
            "cloud: data, model_root and pipeline_root."
        )
    base = (info.context or {}).get("base")
    try:
        return (base / path.expanduser()).resolve() if base else path
    except RuntimeError as error:  # which is all that pathlib raises for a user or a circle of links
        raise ValueError(f"must be a path of this machine. Received: {path} ({error})") from error


class Settings(BaseModel):
    """A frozen section of a config or of a result; unknown keys are errors, and numbers are finite."""

    # What was given may be a secret in the wrong place; our own messages show what they need.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


class BackboneSettings(Settings):
    """Which network is fine-tuned and where its weights come from."""

    name: str = Field("efficientnet-lite0", description="efficientnet-lite0, or a class of keras.applications by name.")
    weights: str = Field(
        IMAGENET, description="imagenet, the path of a .weights.h5 or .pth file, or none for random weights."
    )
    weights_sha256: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="Refuse a weights file that has another SHA-256 sum."
    )

    @field_validator("weights", mode="before")
    @classmethod
    def _null_is_random(cls, weights: object) -> object:
        return RANDOM if weights is None else weights

    @field_validator("weights")
    @classmethod
    def _weights_beside_config(cls, weights: str, info: ValidationInfo) -> str:
        return weights if weights in (IMAGENET, RANDOM) else str(beside_config(Path(weights), info))


class ModelSettings(Settings):
    """The classifier: a backbone and a head, preprocessing inside."""

    backbone: BackboneSettings = BackboneSettings()
    image_size: int = Field(96, ge=32, le=1024, description="Side of the square every image is resized to, pixels.")
    dropout: float = Field(0.2, ge=0, lt=1, description="Share of features dropped before the head in training.")


class OptimizerSettings(Settings):
    """The optimiser and its learning rate over the phase."""

    name: Literal["adam", "adamw", "sgd"] = "adamw"
    learning_rate: float = Field(1e-3, gt=0, le=10)
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_fraction: float = Field(0.1, ge=0, lt=1, description="Share of the phase's steps the rate rises linearly.")
    weight_decay: float = Field(1e-4, ge=0, lt=1, description="Decoupled decay; used by adamw only.")
    momentum: float = Field(0.9, ge=0, lt=1, description="Used by sgd only.")


class PhaseSettings(Settings):
    """One phase of fine-tuning; zero epochs leaves it out."""

    epochs: int = Field(1, ge=0, le=1000)
    optimizer: OptimizerSettings = OptimizerSettings()


class AugmentationSettings(Settings):
    """Random changes to training images; all zero and false leaves them as they are."""

    flip: bool = Field(True, description="Mirror left and right, half the time.")
    crop: float = Field(0.1, ge=0, lt=0.9, description="Largest share of a side cut away, then resized back.")
    brightness: Fraction = Field(0.1, description="Largest shift, as a share of the full range.")
    contrast: Fraction = Field(0.1, description="Largest relative change.")
    saturation: Fraction = Field(0.0, description="Largest relative change.")


class EarlyStopping(Settings):
    """Stops full fine-tuning when the validation loss has stopped falling, and restores the best epoch."""

    patience: int = Field(2, ge=1, description="Epochs without a better loss.")
    min_delta: float = Field(0.0, ge=0, description="Smallest fall that counts.")


class TrainSettings(Settings):
    """Head-only training with the backbone frozen, then training of everything."""

    batch_size: int = Field(
        64,
        ge=1,
        le=65536,
        description="Images a step, over all devices together; rounded down to a multiple of their number.",
    )
    strategy: Literal["auto", "one-device", "mirrored", "multi-worker", "tpu"] = Field(
        "auto", description="tf.distribute's; auto: by TF_CONFIG, TPU and the number of GPUs."
    )
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = Field(
        "auto", description="What layers compute in; auto: bfloat16 on TPUs and recent GPUs, float16 on other GPUs."
    )
    backup_every_s: float = Field(
        300, ge=0, description="Seconds between backups, which are also made after every epoch; 0: after every step."
    )
    head: PhaseSettings = PhaseSettings(epochs=1, optimizer=OptimizerSettings(learning_rate=3e-3, schedule="constant"))
    full: PhaseSettings = PhaseSettings(epochs=4)
    augmentation: AugmentationSettings = AugmentationSettings()
    early_stopping: EarlyStopping | None = EarlyStopping()

    @model_validator(mode="after")
    def _some_training(self) -> "TrainSettings":
        if self.head.epochs + self.full.epochs == 0:
            raise ValueError("must train: head.epochs and full.epochs are both 0.")
        return self


class ModuleFile(Settings):
    """A Python file that registers layers of its own with Keras and the bridge."""

    path: Path
    sha256: str | None = None


class TrainedModel(Settings):
    """A classifier that is trained already, in a Keras file."""

    path: Annotated[Path, AfterValidator(beside_config)] = Field(description="A .keras file. Relative to this file.")
    sha256: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="Refuse a file that has another SHA-256 sum."
    )
    pixels: Literal["0..255", "0..1", "-1..1"] = Field("0..255", description="Range of the pixels the model takes.")
    module_file: Annotated[Path, AfterValidator(beside_config)] | None = Field(
        None, description="A Python file to run first: it registers the model's own layers. Relative to this file."
    )
    module_sha256: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="Refuse a module_file that has another SHA-256 sum."
    )

    @property
    def module(self) -> ModuleFile | None:
        """The file and its sum, if there is one."""
        return ModuleFile(path=self.module_file, sha256=self.module_sha256) if self.module_file else None


class TrainingRun(Settings):
    """All that `run_fn` needs beside its data, as the Trainer's custom_config carries it."""

    model: ModelSettings
    train: TrainSettings
    seed: int = Field(ge=0)
