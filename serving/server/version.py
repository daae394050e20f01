"""One version of one model in the server: its state, and the requests that are in it."""

import threading
from enum import Enum
from pathlib import Path

from roadworthy.serving.servables.base import Servable
from roadworthy.serving.server.folder import Stamp, stamp_of


class State(Enum):
    """Where a version is in its life; the names are those of TF Serving's `ModelVersionStatus.State`."""

    START = "START"
    LOADING = "LOADING"
    AVAILABLE = "AVAILABLE"
    UNLOADING = "UNLOADING"
    END = "END"


class Version:
    """A version that is served, was served, or should be.

    Attributes:
        error: why the last load failed; None when it did not.
        attempts: loads tried since the last that succeeded.
        retry_at: when a failed load is tried again, seconds of `time.monotonic`.
        stamp: its files when the last load began.
    """

    def __init__(self, number: int, path: Path) -> None:
        self.number = number
        self.path = path
        self.state = State.START
        self.error: str | None = None
        self.attempts = 0
        self.retry_at = 0.0
        self.stamp: Stamp = frozenset()
        self.servable: Servable | None = None
        self._requests = 0
        self._changed = threading.Condition()

    def enter(self) -> Servable | None:
        """Counts a request in and gives the servable; None when the version isn't available (any more)."""
        with self._changed:
            if self.state is not State.AVAILABLE:
                return None
            self._requests += 1
            return self.servable

    def leave(self) -> None:
        """Counts a request out."""
        with self._changed:
            self._requests -= 1
            if self.state is not State.AVAILABLE:
                self._changed.notify_all()

    def changed_since_failure(self) -> bool:
        """Whether its files are others now, so that a load that failed may succeed: it was still being copied."""
        return stamp_of(self.path) != self.stamp

    def serve(self, servable: Servable) -> None:
        """Lets requests in."""
        with self._changed:
            self.servable, self.error, self.attempts = servable, None, 0
            self.state = State.AVAILABLE

    def unload(self) -> None:
        """Lets no more requests in, waits for those inside, and frees the servable."""
        with self._changed:
            self.state = State.UNLOADING
            self._changed.wait_for(lambda: self._requests == 0)
            servable, self.servable = self.servable, None
        if servable is not None:
            servable.close()
        self.state = State.END
