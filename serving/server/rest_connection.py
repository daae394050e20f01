"""One client's connection over HTTP/1.1: uvicorn's, with bounds on the time and the memory a client may take."""

import asyncio
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from roadworthy.serving.json_tensors import write_json

MAX_HEAD_BYTES: Final = 64 * 1024
_MAX_HEADERS: Final = 100
# From the first byte of a request to the end of its head, and to take any more of an answer.
HEAD_S: Final = 10.0
_CONTINUE: Final = b"HTTP/1.1 100"
_STALL_S: Final = 60.0


class HeadWithBody:
    """A transport that sends the head of an answer along with its body, in one call of the system instead of two."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Sends what isn't the head alone."""
        if self._head:
            self._head, data = b"", self._head + data
        elif data.startswith(b"HTTP/1.1 ") and not data.startswith(_CONTINUE):
            self._head = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Sends a head that no body follows."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Closes once all is sent."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class RestConnection(HttpToolsProtocol):
    """The protocol of one client; belongs to the event loop's thread."""

    def __init__(self, *, max_connections: int, **of_uvicorn: Any) -> None:
        """Makes the protocol of a client to come.

        Args:
            max_connections: of the server, idle ones among them.
            of_uvicorn: what uvicorn gives its protocols.
        """
        super().__init__(**of_uvicorn)
        self._max_connections = max_connections
        # When the request that is coming in began; None while there is none.
        self._began: float | None = None
        self._in_head = True
        self._head_bytes = 0
        self._unread = (0, 0.0)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes a connection in, or refuses one too many."""
        self._answers = HeadWithBody(transport)
        super().connection_made(self._answers)  # type: ignore[arg-type]
        self._began = self.loop.time()
        if len(self.connections) > self._max_connections:
            self._refuse(
                503, f"The server must not have more than {self._max_connections} connections. Received: one more."
            )

    def data_received(self, data: bytes) -> None:
        """Takes in what came, unless the head of a request has become too long."""
        if self.transport.is_closing():
            return
        if self._in_head:
            # Counted as it comes, since a single header may go on for ever.
            self._head_bytes += len(data)
            if self._began is None and (self.cycle is None or self.cycle.response_complete):
                self._began = self.loop.time()
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(431, f"A request's head must have at most {MAX_HEAD_BYTES:,} bytes. Received: more.")

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._began, self._in_head, self._head_bytes = self.loop.time(), True, 0

    def on_response_complete(self) -> None:
        """An answer is given."""
        self._answers.flush()
        super().on_response_complete()

    def on_headers_complete(self) -> None:
        """The head of a request is whole."""
        self._in_head = False
        if len(self.headers) > _MAX_HEADERS:
            self._refuse(431, f"A request must have at most {_MAX_HEADERS} headers. Received: {len(self.headers)}.")
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a request's body is there."""
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        if self.transport.is_closing():
            return
        self._began, self._in_head, self._head_bytes = None, True, 0
        super().on_message_complete()

    def look_after(self, *, body_s: float) -> None:
        """Ends what has waited too long; called every few seconds.

        Args:
            body_s: longest time a request may take to come in, its answer's time-out.
        """
        now = self.loop.time()
        if self._began is not None:
            waited = now - self._began
            if self._in_head and waited > HEAD_S and self.scope is None:
                self.transport.close()
            elif self._in_head and waited > HEAD_S:
                self._refuse(408, f"A request's head must be whole within {HEAD_S:g} s. Received: a part of it.")
            elif waited > body_s + HEAD_S:
                # The application has given its answer up long ago; only bytes that nobody wants still trickle in.
                self.transport.abort()
        self._look_after_answer(now)

    def _look_after_answer(self, now: float) -> None:
        unread, since = self._unread
        waiting = self.transport.get_write_buffer_size()
        if not waiting or waiting != unread:
            self._unread = waiting, now
        elif now - since > _STALL_S:
            self.transport.abort()

    def _refuse(self, status: int, message: str) -> None:
        """Answers without the application and hangs up."""
        self._began = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            # Another answer is on its way; a second one within it would be read as a part of it.
            self.transport.close()
            return
        body = write_json({"error": message})
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP."""
        self._refuse(400, msg)
