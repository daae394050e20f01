"""A bound on the pixels that are decoded at once, whoever asks."""

import contextlib
import threading
from collections.abc import Iterator


class PixelRoom:
    """Room for so many pixels; a request waits until there is enough for all of its own."""

    def __init__(self, pixels: int | None) -> None:
        """Makes room.

        Args:
            pixels: most at once, > 0; None is no bound.
        """
        self._bounded, self._free = pixels is not None, pixels or 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Holds room for so many pixels, which must not be more than there is in all."""
        if not self._bounded:
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: self._free >= pixels)
            self._free -= pixels
        try:
            yield
        finally:
            with self._changed:
                self._free += pixels
                self._changed.notify_all()
