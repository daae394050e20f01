"""What the measurements give back, as frozen values. Imports neither NumPy nor TensorFlow."""

from pydantic import Field

from roadworthy.models.config import Settings


class Interval(Settings):
    """Where a figure lies with 95% confidence, by bootstrap over the examples."""

    low: float
    high: float


class Slice(Settings):
    """Accuracy on the examples that share the value of a feature."""

    feature: str = Field(description="Key in the tf.Example, such as image/class/text.")
    value: str
    examples: int = Field(gt=0)
    accuracy: float = Field(ge=0, le=1)
    interval: Interval
    drop_interval: Interval | None = Field(
        None, description="Of how much less than the parent's it is, paired by example; null where none is beside it."
    )


class Quality(Settings):
    """How well a classifier does on one split of labelled examples."""

    accuracy: float = Field(ge=0, le=1)
    interval: Interval
    recall: dict[str, float] = Field(description="Per class, by label; a class without examples is left out.")
    examples: int = Field(gt=0)
    confusion: tuple[tuple[int, ...], ...] = Field(description="Examples by true class, then by answered class.")
    slices: tuple[Slice, ...] = ()


class Parity(Settings):
    """A model's answers beside another's, its parent's or the last blessed model's, on the same examples."""

    agreement: float = Field(ge=0, le=1, description="Share of examples both give the same label.")
    max_difference: float = Field(ge=0, description="Largest difference of a score.")
    mean_difference: float = Field(ge=0, description="Mean absolute difference of the scores.")
    accuracy_drop: float = Field(description="The other's accuracy less its own.")
    drop_interval: Interval = Field(description="Of the drop, paired by example; it holds 0 when the drop is noise.")


class Latency(Settings):
    """Wall time of one call at batch 1, milliseconds, after warm-up; and images answered a second in batches."""

    p50_ms: float = Field(gt=0)
    p95_ms: float = Field(gt=0)
    p99_ms: float = Field(gt=0)
    calls: int = Field(gt=0)
    threads: int = Field(gt=0)
    batch: int = Field(gt=0, description="Images a call while throughput was measured.")
    images_per_s: float = Field(gt=0, description="Throughput at that batch.")


class Size(Settings):
    """Bytes of the files a server loads, as they are and compressed one by one."""

    raw_bytes: int = Field(gt=0)
    gzip_bytes: int = Field(gt=0, description="gzip, level 9.")
    zstd_bytes: int = Field(gt=0, description="Zstandard, level 19.")


class LayerWeights(Settings):
    """One stored kernel of an exported file."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    weights: int = Field(gt=0)
    zeros: int = Field(ge=0)
    unique: int = Field(gt=0, description="Different values stored.")
    unique_per_channel: int = Field(gt=0, description="Different values stored in an output channel, at most.")
