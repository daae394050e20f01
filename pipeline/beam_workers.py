"""A Beam worker that is gone, told apart from what goes wrong in one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from roadworthy.serving.errors import WorkerLost

# All that Beam's own runners say when a worker's process ends, the portable one at the end of a traceback of its own.
_LOST: Final = "Channel closed prematurely"


@contextmanager
def beam_workers() -> Iterator[None]:
    """Says in one message that a worker was lost, where Beam gives a traceback of its channels.

    Raises:
        WorkerLost: a worker's process ended before its work did.
    """
    try:
        yield
    except RuntimeError as error:
        if _LOST not in str(error):
            raise
        raise WorkerLost(
            "Beam's workers must be there until the work is done. Received: the end of one, by a signal or for want of "
            "memory. Start the same command again: nothing half-written is in its way. With fewer workers "
            "(beam.workers) each has more memory."
        ) from error
