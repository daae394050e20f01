"""What files say, read again once they change."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

from roadworthy.serving.errors import ServeError

_LOG: Final = logging.getLogger(__name__)
_LOOK_EVERY_S: Final = 1.0

Read = TypeVar("Read")
_Stamp = tuple[tuple[int, int, int] | None, ...]


class Watched(Generic[Read]):
    """The value read from files; a call gives the newest, and the one before when the files can't be read now.

    Whoever needs the value looks, so no thread has to; safe to call from several threads.
    """

    def __init__(self, paths: Sequence[Path], read: Callable[[], Read], *, look_every_s: float = _LOOK_EVERY_S) -> None:
        """Reads the files.

        Args:
            paths: the files that are looked at for changes.
            read: makes the value of them; raises ServeError when it can't.
            look_every_s: seconds between two looks, >= 0.

        Raises:
            ServeError: of `read`.
        """
        self._paths = tuple(paths)
        self._read = read
        self._look_every_s = look_every_s
        self._lock = threading.Lock()
        # The stamp is taken first: a change while reading is then seen at the next look.
        self._stamp = self._look()
        self._value = read()
        self._look_at = time.monotonic() + look_every_s

    def __call__(self) -> Read:
        """The value, as new as the last look."""
        # Whoever finds the lock taken goes on with what there is.
        if time.monotonic() >= self._look_at and self._lock.acquire(blocking=False):
            try:
                self._look_at = time.monotonic() + self._look_every_s
                self._renew()
            finally:
                self._lock.release()
        return self._value

    def _renew(self) -> None:
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        named = ", ".join(map(str, self._paths))
        try:
            self._value = self._read()
        except ServeError as error:
            _LOG.error("%s changed, what it said before stays: %s", named, error)
        else:
            _LOG.info("%s changed and is in use", named)

    def _look(self) -> _Stamp:
        return tuple(_stamp(path) for path in self._paths)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
