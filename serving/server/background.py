"""Work that requests leave behind: done by a thread of its own, dropped and counted when there is too much of it."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

_LOG: Final = logging.getLogger(__name__)
# Items are handled together, so that a busy server doesn't wake a thread for each of its requests.
_GATHER_S: Final = 0.05
# The longest time without a call of `handle`, for whoever has things to do by the clock.
_IDLE_S: Final = 1.0
_CLOSE_S: Final = 5.0
_TELL_EVERY_S: Final = 60.0

Item = TypeVar("Item")


class Background(Generic[Item]):
    """A bounded queue and the thread that empties it; whoever puts something in never waits.

    Attributes:
        dropped: how many items found the queue full, or were lost to a failure.
    """

    def __init__(self, handle: Callable[[Sequence[Item]], None], *, capacity: int, name: str) -> None:
        """Starts the thread.

        Args:
            handle: takes the items in order; also called with none, about once a second. What it raises is logged.
            capacity: the queue is full when the weights in it are more than this.
            name: of the thread, and in the log.
        """
        self._handle = handle
        self._capacity = capacity
        self._name = name
        self._items: deque[tuple[Item, int]] = deque()
        self._weight = 0
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._closing = threading.Event()
        self._tell_at = 0.0
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: Item, *, weight: int = 1) -> bool:
        """Leaves an item; says whether there was room."""
        with self._lock:
            if self._weight + weight > self._capacity:
                self.dropped += 1
                return False
            self._weight += weight
            self._items.append((item, weight))
        if not self._some.is_set():
            self._some.set()
        return True

    def close(self) -> None:
        """Waits until what is in the queue is done, up to a few seconds."""
        self._closing.set()
        self._some.set()
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        told = 0
        while True:
            self._some.wait(_IDLE_S)
            closing = self._closing.wait(_GATHER_S)
            self._some.clear()
            self._do(self._taken())
            if self.dropped > told and (closing or time.monotonic() >= self._tell_at):
                _LOG.warning("%s: %d dropped, since more came than could be written", self._name, self.dropped - told)
                told, self._tell_at = self.dropped, time.monotonic() + _TELL_EVERY_S
            if closing and not self._items:
                return

    def _taken(self) -> list[tuple[Item, int]]:
        with self._lock:
            taken = list(self._items)
            self._items.clear()
        return taken

    def _do(self, taken: list[tuple[Item, int]]) -> None:
        try:
            self._handle([item for item, _ in taken])
        except Exception as error:
            self.dropped += len(taken)
            _LOG.error("%s: %d lost: %s: %s", self._name, len(taken), type(error).__name__, error)
        with self._lock:
            # Only now: what is being handled takes memory too.
            self._weight -= sum(weight for _, weight in taken)
