"""What Kubernetes' probes and load balancers ask over REST; gRPC's own health service tells them the same.

Reference: https://kubernetes.io/docs/reference/using-api/health-checks
"""

from collections.abc import Callable
from typing import Final

from roadworthy.serving.server.rest_app import Receive, Scope, Send

LIVE_PATH: Final = "/livez"
READY_PATH: Final = "/readyz"


class Readiness:
    """An application that answers 200 while new requests are welcome, else 503.

    Attributes:
        ready: false until every model had a version that answers, and from the moment the server is told to stop.
    """

    def __init__(self) -> None:
        self.ready = False

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        """Answers one probe."""
        await _tell(send, *((200, b"ok\n") if self.ready else (503, b"not ready\n")))


class ModelReadiness:
    """An application that answers 200 while new requests are welcome and a model has a version that answers them."""

    def __init__(self, readiness: Readiness, is_available: Callable[[], bool]) -> None:
        self._readiness, self._is_available = readiness, is_available

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        """Answers one probe."""
        is_ready = self._readiness.ready and self._is_available()
        await _tell(send, *((200, b"ok\n") if is_ready else (503, b"not ready\n")))


async def live(_: Scope, __: Receive, send: Send) -> None:
    """An application that answers 200: as long as it does, there is no reason to start the server again."""
    await _tell(send, 200, b"ok\n")


async def _tell(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
