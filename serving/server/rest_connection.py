"""One client's connection over HTTP/1.1: uvicorn's, with bounds on the time and the memory a client may take."""

import asyncio
import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final, Protocol

from roadworthy.serving.json_tensors import write_json
from roadworthy.serving.server.uvicorn_parts import HttpToolsProtocol

# A status, headers beside the type and the length, and a body of JSON.
Reply = tuple[int, Sequence[tuple[bytes, bytes]], bytes]

MAX_HEAD_BYTES: Final = 64 * 1024
_MAX_HEADERS: Final = 100
# From the first byte of a request to the end of its head, and to take any more of an answer.
HEAD_S: Final = 10.0
_CONTINUE: Final = b"HTTP/1.1 100"
_STALL_S: Final = 60.0
# How long a client that was refused has to read why.
_LINGER_S: Final = 2.0
# Of a URL that needs no decoding.
_PLAIN_PATH: Final = re.compile(rb"/v1/models/[\w.:/-]+", re.ASCII)
_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


class ShortWay(Protocol):
    """Answers quick requests without a task or messages of ASGI, which cost several times what such a request does."""

    def answer_soon(
        self,
        path: str,
        headers: Sequence[tuple[bytes, bytes]],
        client: tuple[str, int] | None,
        body: bytes,
        tell: Callable[[Reply], None],
    ) -> bool:
        """Answers a POST request in the loop's next turn; whether it will."""
        ...

    def hurry(self) -> None:
        """Answers what is to be answered soon, now."""
        ...


class HeadWithBody:
    """A transport that sends the head of an answer along with its body, in one call of the system instead of two."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self._has_hung_up = False

    def is_closing(self) -> bool:
        """Whether nothing more is to be sent, and what still comes in is dropped."""
        return self._has_hung_up or self._transport.is_closing()

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

    def hang_up(self) -> None:
        """Says that nothing more will be sent, and leaves it to the client to close.

        Where a connection is closed with a part of the request unread, the client may lose the answer to it.
        """
        if not self._transport.can_write_eof():
            self.close()
            return
        self.flush()
        self._has_hung_up = True
        self._transport.write_eof()

    def close(self) -> None:
        """Closes once all is sent."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class RestConnection(HttpToolsProtocol):
    """The protocol of one client; belongs to the event loop's thread.

    A quick request that came in one piece takes a short way, everything else goes uvicorn's. What comes while one is on
    the short way makes it hurry, so that answers keep the order of their requests.
    """

    def __init__(self, *, max_connections: int, short_way: ShortWay | None = None, **of_uvicorn: Any) -> None:
        """Makes the protocol of a client to come.

        Args:
            max_connections: of the server, idle ones among them.
            short_way: answers quick requests; None is none.
            of_uvicorn: what uvicorn gives its protocols.
        """
        super().__init__(**of_uvicorn)
        self._max_connections = max_connections
        self._short_way = short_way
        self._is_on_short_way = False
        # The body so far of a request that may take the short way; None while there is none.
        self._held: list[bytes] | None = None
        # When the request that is coming in began; None while there is none.
        self._began: float | None = None
        self._in_head = True
        self._head_bytes = 0
        self._unread = (0, 0.0)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes a connection in, or refuses one too many."""
        self._wire, self._answers = transport, HeadWithBody(transport)
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
        if self._held is not None and not self.transport.is_closing():
            self._go_the_long_way()
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(431, f"A request's head must have at most {MAX_HEAD_BYTES:,} bytes. Received: more.")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._hurry()
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
        if self._may_be_short():
            self._held = []
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a request's body is there."""
        if self._held is not None:
            self._held.append(body)
        elif not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        if self.transport.is_closing():
            return
        self._began, self._in_head, self._head_bytes = None, True, 0
        if self._held is not None:
            if self._goes_the_short_way(b"".join(self._held)):
                return
            self._go_the_long_way()
        super().on_message_complete()

    def _may_be_short(self) -> bool:
        """Whether the request whose head is whole may take the short way, if its body comes along."""
        return (
            self._short_way is not None
            and _PLAIN_PATH.fullmatch(self.url) is not None
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
            and not self.expect_100_continue
            and not self.flow.write_paused
            and (self.cycle is None or self.cycle.response_complete)
        )

    def _goes_the_short_way(self, body: bytes) -> bool:
        """Has the request that is held answered soon, if it is a quick one."""
        assert self._short_way is not None
        soon = self._short_way.answer_soon(
            self.url.decode("ascii"), self.headers, self.client, body, self._answered_the_short_way
        )
        if soon:
            self._held, self._is_on_short_way = None, True
        return soon

    def _answered_the_short_way(self, reply: Reply) -> None:
        self._is_on_short_way = False
        if self.transport.is_closing():
            return
        status, headers, content = reply
        self._wire.write(_answer_of(status, [*self.server_state.default_headers, *headers], content))
        super().on_response_complete()

    def _hurry(self) -> None:
        """Has what is on the short way answered before anything else happens."""
        if self._is_on_short_way and self._short_way is not None:
            self._short_way.hurry()

    def _go_the_long_way(self) -> None:
        """Gives the request that is held to uvicorn."""
        held, self._held = self._held or [], None
        super().on_headers_complete()
        for part in held:
            super().on_body(part)

    def eof_received(self) -> None:
        """The client sends no more; what it has asked is answered before uvicorn hangs up."""
        self._hurry()

    def shutdown(self) -> None:
        """The server stops; what was asked is answered."""
        self._hurry()
        super().shutdown()

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
        self._answers.write(_answer_of(status, [(b"connection", b"close")], write_json({"error": message})))
        self._answers.hang_up()
        self.loop.call_later(_LINGER_S, self._wire.close)

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP."""
        self._refuse(400, msg)


def _answer_of(status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bytes:
    """An answer of JSON as it goes over the wire."""
    more = b"".join(b"%b: %b\r\n" % header for header in headers)
    return b"%bcontent-type: application/json\r\ncontent-length: %d\r\n%b\r\n%b" % (
        _STATUS_LINES[status],
        len(body),
        more,
        body,
    )
