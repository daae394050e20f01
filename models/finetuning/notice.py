"""Word that the machine is about to go: between SIGTERM and the end of a pre-empted one are some thirty seconds."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Notice:
    """Whether this process was told to end.

    Attributes:
        is_given: whether it was.
    """

    def __init__(self) -> None:
        self.is_given = False

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
