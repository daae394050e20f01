"""The memory that requests take while they come in, of all clients of both transports together."""

from roadworthy.serving.status import RequestError


class Incoming:
    """Counts it, and refuses what would be too much; belongs to the event loop's thread."""

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0

    def take(self, size_bytes: int) -> None:
        """Counts a part that came; `let_go` it once the request is whole, refused or gone.

        Raises:
            RequestError: RESOURCE_EXHAUSTED, it is too much at once; the part is counted all the same.
        """
        self._bytes += size_bytes
        if self._bytes > self._max_bytes:
            raise RequestError("The server receives too much at once. Try again later.", code="RESOURCE_EXHAUSTED")

    def let_go(self, size_bytes: int) -> None:
        """Counts parts that are no longer coming in."""
        self._bytes -= size_bytes
