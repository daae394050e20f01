"""Word that the machine is about to go: between SIGTERM and the end of a pre-empted one are some thirty seconds."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Notice:
    """Whether a training was told to end.

    Workers that train together have to stop after the same step, or the others wait for the one that stopped. So where
    it is shared, what a process was told counts only once all of them have heard of it.

    Attributes:
        is_given: whether this process was told.
        is_shared: whether other processes train as well.
    """

    def __init__(self, *, is_shared: bool = False) -> None:
        self.is_given = False
        self.is_shared = is_shared
        self._is_heard = False

    @property
    def counts(self) -> bool:
        """Whether training is to end now."""
        return self._is_heard if self.is_shared else self.is_given

    def hear(self, told: float) -> None:
        """Takes how many workers were told, as all of them heard it after one step."""
        self._is_heard = self._is_heard or told > 0

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Lets SIGTERM give notice in place of ending the process; a second one ends it.

        Python lets none but the main thread handle signals; in any other nothing changes.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGTERM) or signal.SIG_DFL

        def give(number: int, frame: FrameType | None) -> None:
            del frame
            self.is_given = True
            signal.signal(number, before)

        signal.signal(signal.SIGTERM, give)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)
