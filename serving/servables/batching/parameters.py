"""How requests are put together into batches: TF Serving's `BatchingParameters`, as a frozen value."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from roadworthy.serving.cores import available_cores
from roadworthy.serving.errors import ServeError

# What upstream's message calls the attributes that are checked.
_PROTO_NAMES: Final = {
    "max_batch_size": "max_batch_size",
    "timeout_us": "batch_timeout_micros",
    "max_enqueued_batches": "max_enqueued_batches",
    "threads": "num_batch_threads",
}


@dataclass(frozen=True)
class Batching:
    """What TensorFlow's batch scheduler is told; the defaults are upstream's.

    Attributes:
        max_batch_size: most rows of a request, and of a batch unless `max_execution_batch_size` says fewer; >= 1.
        timeout_us: how long a batch waits to be filled once a thread is free for it, microseconds; >= 0.
        max_enqueued_batches: batches that may wait; a request beyond them is refused with UNAVAILABLE; >= 1.
        threads: batches that run at once, of all signatures of one version together; >= 1.
        allowed_batch_sizes: sizes that batches are padded to, ascending, the last the largest batch; empty pads none.
        pad_variable_length_inputs: pads the rows of a batch to one shape, with the first value of each request.
        split_large: cuts a request that doesn't fit in a batch over several.
        max_execution_batch_size: most rows of a batch when large requests are split; None is `max_batch_size`.

    Raises:
        ServeError: a number out of its range, or sizes that don't go together.

    Reference: tensorflow_serving/servables/tensorflow/session_bundle_config.proto.
    """

    max_batch_size: int = 1000
    timeout_us: int = 0
    max_enqueued_batches: int = 10
    threads: int = field(default_factory=available_cores)
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False
    split_large: bool = False
    max_execution_batch_size: int | None = None

    def __post_init__(self) -> None:
        """Holds the numbers to their ranges."""
        for name, least in (("max_batch_size", 1), ("timeout_us", 0), ("max_enqueued_batches", 1), ("threads", 1)):
            if getattr(self, name) < least:
                raise ServeError(f"{_PROTO_NAMES[name]} must be at least {least}. Received: {getattr(self, name)}.")
        if not 1 <= self.largest_batch <= self.max_batch_size:
            raise ServeError(
                f"max_execution_batch_size must be in 1 to max_batch_size, which is {self.max_batch_size}. "
                f"Received: {self.largest_batch}."
            )
        _check_allowed(self.allowed_batch_sizes, self.largest_batch)

    @property
    def largest_batch(self) -> int:
        """Most rows of a batch."""
        given = self.max_execution_batch_size if self.split_large else None
        return self.max_batch_size if given is None else given


def _check_allowed(sizes: Sequence[int], largest: int) -> None:
    if not sizes:
        return
    if sizes[0] < 1 or any(size >= after for size, after in itertools.pairwise(sizes)):
        raise ServeError(f"allowed_batch_sizes must be above 0 and in increasing order. Received: {list(sizes)}.")
    if sizes[-1] != largest:
        # In upstream's words, which others look for.
        raise ServeError(
            f"Last entry in allowed_batch_sizes must match max_batch_size; last entry was {sizes[-1]}; "
            f"expected {largest}"
        )
