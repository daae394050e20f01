"""What a compression recipe says, as frozen values. Imports no TensorFlow."""

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from typing import ClassVar, Final, Literal

from pydantic import Field, field_validator, model_validator

from roadworthy.models.config import ModelSettings, Settings

EVERY_LAYER: Final = ("*",)
TWO_OF_FOUR_SPARSITY: Final = 0.5


class StepSettings(Settings):
    """The settings of one kind of step."""

    # A converting step ends a recipe: what it makes can be served, not trained.
    converts: ClassVar[bool] = False


class TrainingStep(StepSettings):
    """A step that fine-tunes on the run's own training split."""

    epochs: int = Field(1, ge=1, le=1000)
    learning_rate: float = Field(3e-4, gt=0, le=1, description="At the start; falls to zero along a cosine.")


class LayerStep(TrainingStep):
    """A training step that changes the layers its patterns choose."""

    layers: tuple[str, ...] = Field(EVERY_LAYER, min_length=1, description="Shell patterns of layers' paths to take.")
    skip: tuple[str, ...] = Field((), description="Shell patterns of layers' paths to leave alone.")

    def chooses(self, path: str) -> bool:
        """Whether a layer's path, such as `backbone/stem_conv`, fits `layers` and not `skip`."""
        return matches(path, self.layers) and not matches(path, self.skip)

    def unused(self, paths: Collection[str]) -> list[str]:
        """The patterns that fit none of a model's layers' paths."""
        return [
            pattern for pattern in (*self.layers, *self.skip) if not any(matches(path, [pattern]) for path in paths)
        ]


class Prune(LayerStep):
    """TF-MOT magnitude pruning of kernels while fine-tuning; the masks are stripped afterwards."""

    sparsity: float = Field(
        TWO_OF_FOUR_SPARSITY, gt=0, lt=1, description="Share of each pruned kernel's weights that end as zero."
    )
    schedule: Literal["polynomial", "constant"] = Field("polynomial", description="How sparsity rises over the steps.")
    pattern: Literal["unstructured", "2:4", "block"] = Field(
        "unstructured", description="2:4: two of every four weights along the input are zero; block: whole blocks are."
    )
    block_size: tuple[int, int] = Field((1, 4), description="Rows and columns of a block; used by block only.")

    @model_validator(mode="after")
    def _pattern_fits(self) -> "Prune":
        if self.pattern == "2:4" and self.sparsity != TWO_OF_FOUR_SPARSITY:
            raise ValueError(f"sparsity must be 0.5 with the pattern 2:4. Received: {self.sparsity:g}.")
        if self.pattern == "block" and (min(self.block_size) < 1 or max(self.block_size) == 1):
            raise ValueError(f"block_size must hold two lengths, one above 1. Received: {list(self.block_size)}.")
        return self


class Cluster(LayerStep):
    """TF-MOT weight clustering while fine-tuning; zeros that an earlier step made stay zero."""

    clusters: int = Field(16, ge=2, le=4096, description="Different values a kernel may hold.")
    init: Literal["kmeans++", "linear", "density", "random"] = Field("kmeans++", description="Where centroids start.")
    per_channel: bool = Field(False, description="Centroids of their own for every output channel of a convolution.")


class QuantizationAwareTraining(TrainingStep):
    """Fine-tunes with the rounding of int8 in the graph."""

    learning_rate: float = Field(1e-4, gt=0, le=1, description="At the start; falls to zero along a cosine.")


class Quantize(StepSettings):
    """LiteRT quantisation, after training or, with `qat`, during a fine-tuning of its own."""

    converts: ClassVar[bool] = True

    type: Literal["int8", "dynamic", "float16", "16x8"] = Field(
        "int8", description="int8: weights and activations; dynamic: int8 weights; 16x8: int16 activations."
    )
    calibration_images: int = Field(
        128, ge=1, le=100_000, description="Representative images of the training split; used by int8 and 16x8."
    )
    io: Literal["float32", "int8", "uint8"] = Field("float32", description="Type of the file's input and output.")
    qat: QuantizationAwareTraining | None = None

    @model_validator(mode="after")
    def _int8_only(self) -> "Quantize":
        if self.type != "int8":
            for key, given in (("qat", self.qat is not None), ("io", self.io != "float32")):
                if given:
                    raise ValueError(f"{key} must be left out unless type is int8. Received: type {self.type}.")
        return self


class Distill(TrainingStep):
    """Trains a student on the answers of the run's trained model, by Keras 3's Distiller."""

    # Answers of a teacher are steadier than labels, and take a larger rate.
    learning_rate: float = Field(3e-3, gt=0, le=1, description="At the start; falls to zero along a cosine.")

    student: ModelSettings | None = Field(
        None, description="A new student; null: the model as the steps before left it."
    )
    image_size: int | None = Field(
        None, ge=8, le=1024, description="Height of the images the model so far is to take, pixels; null: as it is."
    )
    temperature: float = Field(3.0, gt=0, le=100, description="Softens both sides' answers.")
    label_weight: float = Field(0.3, ge=0, le=1, description="Weight of the true labels; the rest is the teacher's.")
    feature_weight: float = Field(0.0, ge=0, description="Weight of how differently both see images alike.")

    @model_validator(mode="after")
    def _one_size(self) -> "Distill":
        if self.student is not None and self.image_size is not None:
            raise ValueError("image_size must be left out beside a student, which has its own. Received: both.")
        return self


class Channels(LayerStep):
    """Removes whole convolution channels by their L1 norm, then fine-tunes: a smaller network of the same shape."""

    learning_rate: float = Field(1e-3, gt=0, le=1, description="At the start; falls to zero along a cosine.")

    remove: float = Field(gt=0, lt=1, description="Share of the channels of each group of layers that is removed.")
    multiple_of: int = Field(
        8, ge=1, le=256, description="Channels left are a multiple of this where there are enough."
    )


class Fold(StepSettings):
    """Folds batch normalisation into the kernels before it and freezes constants, for serving."""


class LiteRT(StepSettings):
    """Converts to LiteRT as it is, in float32."""

    converts: ClassVar[bool] = True


class Step(Settings):
    """One step of a recipe; exactly one key is given."""

    distill: Distill | None = None
    channels: Channels | None = None
    prune: Prune | None = None
    cluster: Cluster | None = None
    fold: Fold | None = None
    litert: LiteRT | None = None
    quantize: Quantize | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "Step":
        given = self._given()
        if len(given) != 1:
            raise ValueError(f"must have exactly one of the keys {sorted(Step.model_fields)}. Received: {given}.")
        return self

    @property
    def kind(self) -> str:
        """The one key that is given."""
        return self._given()[0]

    def _given(self) -> list[str]:
        return sorted(key for key in Step.model_fields if getattr(self, key) is not None)

    @property
    def settings(self) -> StepSettings:
        """The value of that key."""
        settings: StepSettings = getattr(self, self.kind)
        return settings

    @property
    def training(self) -> TrainingStep | None:
        """How it fine-tunes, if it does."""
        settings = self.quantize.qat if self.quantize is not None else self.settings
        return settings if isinstance(settings, TrainingStep) else None

    def with_epochs(self, epochs: int) -> "Step":
        """The same step, fine-tuning for so many epochs.

        Raises:
            ValueError: a number out of range, or a step that does not fine-tune.
        """
        document = self.model_dump(mode="json", exclude_none=True)
        given = document[self.kind]
        (given["qat"] if self.kind == "quantize" and self.training else given)["epochs"] = epochs
        return Step.model_validate(document)


class Recipe(Settings):
    """An ordered list of steps that makes one variant of the trained model."""

    name: str = Field(pattern="^[a-z0-9][a-z0-9-]{0,40}$", description="Names the variant and its pipeline node.")
    steps: tuple[Step, ...] = Field(min_length=1)

    @field_validator("name")
    @classmethod
    def _is_no_model_of_the_runs(cls, name: str) -> str:
        if name == "parent":
            raise ValueError("must not be parent: the trained model that variants are compared with is called so.")
        return name

    @model_validator(mode="after")
    def _steps_agree(self) -> "Recipe":
        for place, step in enumerate(self.steps):
            _check_order(step, self.steps[:place], self.steps)
        return self


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Whether any of the shell patterns fits a layer's path."""
    return any(fnmatchcase(path, pattern) for pattern in patterns)


# What each kind would undo if it came after the other.
_UNDOES: Final[dict[str, dict[str, str]]] = {
    "distill": {"prune": "the zeros", "cluster": "the clusters"},
    "channels": {"prune": "the zeros", "cluster": "the clusters"},
    "prune": {"prune": "the zeros", "cluster": "the clusters"},
    "cluster": {"cluster": "the clusters"},
    "fold": {"fold": "nothing, and do nothing"},
}
_CLUSTERS_BESIDE_ZERO: Final = 3
_TRAINS: Final = frozenset({"distill", "channels", "prune", "cluster"})


def _check_order(step: Step, before: Sequence[Step], steps: Sequence[Step]) -> None:
    """Refuses a step that an earlier one contradicts."""
    order = " -> ".join(step.kind for step in steps)
    for earlier in before:
        if earlier.settings.converts:
            raise ValueError(f"must have the step {earlier.kind} last. Received: {order}.")
        lost = _UNDOES.get(step.kind, {}).get(earlier.kind)
        if lost:
            raise ValueError(
                f"must not have {step.kind} after {earlier.kind}: it would undo {lost}. Received: {order}."
            )
        if earlier.kind == "fold" and _trains(step):
            raise ValueError(f"must have the step fold after every step that trains. Received: {order}.")
    if (
        isinstance(step.settings, Cluster)
        and step.settings.clusters < _CLUSTERS_BESIDE_ZERO
        and any(earlier.kind == "prune" for earlier in before)
    ):
        raise ValueError(
            f"must have at least 3 clusters after prune, one of them zero. Received: {step.settings.clusters}."
        )
    if before and isinstance(step.settings, Distill) and step.settings.student is not None:
        raise ValueError(f"must have distill with a new student first: it drops what came before. Received: {order}.")


def _trains(step: Step) -> bool:
    return step.kind in _TRAINS or (isinstance(step.settings, Quantize) and step.settings.qat is not None)
