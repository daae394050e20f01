"""What a rehearsal asks and what must hold, as frozen values. Imports no TensorFlow or TFX."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from roadworthy.components.gate.limits import LatencyLimit, SizeLimit, parse_latency, parse_size
from roadworthy.models.config import Settings


def _absolute_time(written: str) -> str:
    if parse_latency(written).relative:
        raise ValueError(f"must be a time such as 100 ms; there is no parent to compare with. Received: {written!r}.")
    return written


def _absolute_size(written: int | str) -> int | str:
    if parse_size(written).relative:
        raise ValueError(f"must be a size such as 2 GB; there is no parent to compare with. Received: {written!r}.")
    return written


Time = Annotated[LatencyLimit, AfterValidator(_absolute_time)]
Size = Annotated[SizeLimit, AfterValidator(_absolute_size)]


class RehearsalSettings(Settings):
    """How the chosen model is tried on a real server before it is pushed."""

    by: Literal["roadworthy", "docker", "kubernetes"] = Field(
        "roadworthy",
        description="roadworthy: our own server in a process of its own. docker and kubernetes: TFX's InfraValidator "
        "starts tensorflow/serving there; it serves SavedModels only, and of what follows it heeds requests, "
        "max_start, warm_up_requests and image_tag.",
    )
    requests: int = Field(50, ge=1, le=10_000, description="Examples of the test split sent over each transport.")
    tolerance: float = Field(
        1e-4, gt=0, lt=1, description="Largest difference of a score from what the exported file answers offline."
    )
    max_latency_p95: Time = Field("1 s", description="p95 of one example at a time, on either transport.")
    max_memory: Size = Field("4 GB", description="Peak resident memory of the server's process.")
    max_start: Time = Field("120 s", description="From the start of the process to its first answer.")
    warm_up_requests: int = Field(
        4,
        ge=0,
        le=500,
        description="Examples written into the pushed model, for a server to answer before its first client.",
    )
    image_tag: str = Field("latest", pattern=r"[\w][\w.-]{0,127}", description="Of tensorflow/serving.")
