"""What a rehearsal found, as frozen values. Imports no TensorFlow or TFX."""

from typing import Final

from pydantic import Field

from roadworthy.models.config import Settings

REHEARSAL_FILE: Final = "rehearsal.json"


class Asked(Settings):
    """What one transport answered.

    Attributes:
        requests: how many were answered, one example each.
        p50_ms: median time of one, milliseconds.
        p95_ms: likewise.
        max_difference: largest difference of a score from the offline one.
    """

    requests: int
    p50_ms: float
    p95_ms: float
    max_difference: float


class Rehearsal(Settings):
    """How a model did on a real server.

    Attributes:
        faults: why it must not be pushed; none if it may.
        start_s: from the start of the process to its first answer, seconds; None if there was none.
        peak_memory_bytes: of the server's process; None if it ended before it could be told.
        transports: what was asked over each, by ``grpc`` and ``rest``.
    """

    faults: tuple[str, ...] = ()
    start_s: float | None = None
    peak_memory_bytes: int | None = None
    transports: dict[str, Asked] = Field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the model may be pushed."""
        return not self.faults
