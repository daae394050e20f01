"""A Beam worker that is gone, told apart from what goes wrong in one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from roadworthy.serving.errors import WorkerLost

# All that Beam's own runners say when a worker's process ends, the portable one at the end of a traceback of its own.
CHANNEL_CLOSED: Final = "Channel closed prematurely"


def lost_worker() -> WorkerLost:
    """The one message about it."""
    return WorkerLost(
        "Beam's workers must be there until the work is done. Received: the end of one, by a signal or for want of "
        "memory. Start the same command again: nothing half-written is in its way. With fewer workers "
        "(beam.workers) each has more memory."
    )


@contextmanager
def lost_workers_named() -> Iterator[None]:
    """Says in one message that a worker was lost, where Beam gives a traceback of its channels.

    Raises:
        WorkerLost: a worker's process ended before its work did.
    """
    try:
        yield
    except RuntimeError as error:
        if CHANNEL_CLOSED not in str(error):
            raise
        raise lost_worker() from error
