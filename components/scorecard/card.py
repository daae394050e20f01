"""What was measured of one exported model, as frozen values. Imports no TensorFlow or TFX."""

from typing import Final

from pydantic import Field

from roadworthy.models.compression.record import StepRecord
from roadworthy.models.config import Settings
from roadworthy.models.measure.results import Latency, LayerWeights, Parity, Quality

SCORECARD_FILE: Final = "scorecard.json"
BASELINE_FILE: Final = "baseline.json"


class Measured(Quality):
    """Quality and size of one exported model: all that the last blessed model is measured for."""

    variant: str
    uri: str = Field(description="Folder of the exported version: a SavedModel, or a folder with model.tflite.")
    format: str = Field(description="saved_model or litert.")
    quality_source: str = Field(description="tfma or litert: what computed accuracy and recall.")
    size_bytes: int = Field(gt=0)
    size_gzip_bytes: int = Field(gt=0)
    size_zstd_bytes: int = Field(gt=0)


class Score(Measured):
    """One exported model, measured from its files."""

    latency: Latency
    peak_memory_bytes: int = Field(gt=0, description="Most memory a process of its own held while it answered.")
    sparsity: float = Field(ge=0, le=1, description="Share of exact zeros in kernels (rank 2 and more) of the file.")
    layers: tuple[LayerWeights, ...] = ()
    parity: Parity | None = Field(None, description="Beside the parent; null for the parent itself.")
    steps: tuple[StepRecord, ...] = Field((), description="What each step of the recipe did and skipped.")


class Scorecard(Settings):
    """The parent and its variants, measured in one run on one split."""

    split: str
    labels: tuple[str, ...] = Field(min_length=2, description="The classes, in the order of a confusion matrix.")
    examples_sha256: str | None = Field(None, description="Of the examples measured on, in their order.")
    parent: Score
    variants: tuple[Score, ...] = ()


class Baseline(Settings):
    """The last blessed model on the same split; none before the first blessing."""

    split: str
    model: Measured | None = None
    parities: dict[str, Parity] = Field(
        default_factory=dict, description="Each variant beside it, by name; none where the examples are others."
    )
    left_out: str | None = Field(None, description="Why the last blessed model can't be compared, where it can't be.")
