"""What the measurements give back, as frozen values. Imports neither NumPy nor TensorFlow."""

from pydantic import Field

from roadworthy.models.config import Settings


class Quality(Settings):
    """How well a classifier does on one split of labelled examples."""

    accuracy: float = Field(ge=0, le=1)
    recall: dict[str, float] = Field(description="Per class, by label; a class without examples is left out.")
    examples: int = Field(gt=0)


class Latency(Settings):
    """Wall time of one call at batch 1, milliseconds, after warm-up."""

    p50_ms: float = Field(gt=0)
    p95_ms: float = Field(gt=0)
    calls: int = Field(gt=0)
    threads: int = Field(gt=0)


class Size(Settings):
    """Bytes of the files a server loads, as they are and gzipped one by one."""

    raw_bytes: int = Field(gt=0)
    gzip_bytes: int = Field(gt=0)
