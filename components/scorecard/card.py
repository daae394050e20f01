"""What was measured of one exported model, as frozen values. Imports no TensorFlow or TFX."""

from pydantic import Field

from roadworthy.models.config import Settings


class Latency(Settings):
    """Wall time of one call at batch 1, milliseconds, after warm-up."""

    p50_ms: float = Field(ge=0)
    p95_ms: float = Field(ge=0)
    calls: int = Field(gt=0)
    threads: int = Field(gt=0)


class Score(Settings):
    """One exported model, measured from its files."""

    variant: str
    uri: str = Field(description="Folder of the exported version: a SavedModel, or a folder with model.tflite.")
    format: str = Field(description="saved_model or litert.")
    accuracy: float = Field(ge=0, le=1)
    recall: dict[str, float] = Field(description="Per class, by label; a class without examples is left out.")
    examples: int = Field(gt=0)
    quality_source: str = Field(description="tfma or litert: what computed accuracy and recall.")
    size_bytes: int = Field(gt=0)
    size_gzip_bytes: int = Field(gt=0)
    latency: Latency
    sparsity: float = Field(ge=0, le=1, description="Share of exact zeros in kernels (rank 2 and more) of the file.")


class Scorecard(Settings):
    """The parent and its variants, measured in one run on one split."""

    split: str
    parent: Score
    variants: tuple[Score, ...] = ()
