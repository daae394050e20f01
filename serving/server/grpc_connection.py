"""One client's connection over gRPC: HTTP/2 by nghttp2, requests handed to the service, answers sent as they come.

Everything here runs on the event loop's thread. What HTTP/2 itself needs, floods and broken frames among it, is
nghttp2's; what is bounded here is time and memory: requests that trickle, answers nobody reads, clients that are gone.
"""

import asyncio
import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import ngh2

from roadworthy.serving.server import grpc_wire
from roadworthy.serving.server.grpc_service import Answering, GrpcService
from roadworthy.serving.server.grpc_wire import Header
from roadworthy.serving.server.observe import Call, code_of
from roadworthy.serving.status import RequestError

_LOG: Final = logging.getLogger(__name__)
_STREAM_WINDOW_BYTES: Final = 1 << 20
_CONNECTION_WINDOW_BYTES: Final = 1 << 22
_WRITE_BYTES: Final = 1 << 18
# Answers that lie here because the client doesn't take them; beyond it requests are refused.
_MAX_QUEUED_BYTES: Final = 64 << 20
# How long a client may take for its first frame, for a whole request, and to take any more of an answer.
_HANDSHAKE_S: Final = 10.0
REQUEST_S: Final = 30.0
_STALL_S: Final = 60.0
# An idle client is pinged after so long, and given up when it doesn't answer.
_IDLE_S: Final = 300.0
_PING_S: Final = 20.0
# Requests that were sent before the client heard of the end are still taken.
NOTICE_S: Final = 0.1
_LIMITS: Final = ngh2.Configuration(peer_max_concurrent_streams=1, max_send_header_block_length=1 << 16)
_REFUSED_TYPE: Final = ((b":status", b"415"),)
_REFUSED_VERB: Final = ((b":status", b"405"), (b"allow", b"POST"))
_NO_ERROR: Final = 0


@dataclass(slots=True, eq=False)
class Exchange:
    """One request and its answer: a stream of HTTP/2.

    Attributes:
        whole: all of the request is there.
        answering: what is at work on it; None while it comes in.
    """

    number: int
    path: bytes
    call: Call
    began: float
    deadline: float | None
    encoding: str
    body: bytearray = field(default_factory=bytearray)
    whole: bool = False
    answering: Answering | None = None
    timer: asyncio.TimerHandle | None = None


class GrpcConnection(asyncio.Protocol):
    """The protocol of one client, of whose connections the server keeps a set."""

    def __init__(self, service: GrpcService, connections: "set[GrpcConnection]", max_connections: int) -> None:
        self._service = service
        self._connections = connections
        self._max_connections = max_connections
        self._loop = asyncio.get_running_loop()
        self._http2 = ngh2.Connection(ngh2.Role.SERVER, _LIMITS)
        self._exchanges: dict[int, Exchange] = {}
        self._transport: asyncio.Transport
        self._peer = ""
        self._paused = self._draining = self._greeted = False
        self._pinged_at: float | None = None
        self._heard = self._loop.time()
        self._ageing: asyncio.Task[None] | None = None
        self._on: dict[type, Any] = {
            ngh2.RequestReceived: self._head,
            ngh2.DataReceived: self._data,
            ngh2.TrailersReceived: self._trailers,
            ngh2.StreamClosed: self._closed,
            ngh2.SettingsReceived: self._settings,
            ngh2.PingAcknowledged: self._pong,
        }

    # asyncio's side

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Greets the client."""
        self._transport = transport
        self._peer = _peer_name(transport.get_extra_info("peername"))
        self._connections.add(self)
        if len(self._connections) > self._max_connections:
            _LOG.warning("%s: closed, there are %d connections", self._peer, self._max_connections)
            transport.abort()
            return
        self._http2.initiate_connection(
            {
                ngh2.Setting.MAX_CONCURRENT_STREAMS: self._service.max_streams,
                ngh2.Setting.INITIAL_WINDOW_SIZE: _STREAM_WINDOW_BYTES,
            }
        )
        self._http2.set_local_window_size(_CONNECTION_WINDOW_BYTES)
        self._flush()
        if self._service.max_age_ms is not None:
            self._ageing = self._loop.create_task(self._age(self._service.max_age_ms / 1000))

    def connection_lost(self, _: Exception | None) -> None:
        """Drops what was under way."""
        self._connections.discard(self)
        if self._ageing is not None:
            self._ageing.cancel()
        for exchange in list(self._exchanges.values()):
            self._cancel(exchange)

    def data_received(self, data: bytes) -> None:
        """Takes in what came and answers what is whole."""
        self._heard = self._loop.time()
        try:
            self._http2.receive_data(data)
            for event in self._http2.events():
                handle = self._on.get(type(event))
                if handle is not None:
                    handle(event)
        except ngh2.NGH2Error as error:
            _LOG.info("%s: connection closed: %s", self._peer, error)
            self._transport.close()
            return
        self._flush()

    def pause_writing(self) -> None:
        """The client takes nothing; what it sends meanwhile waits too."""
        self._paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The client takes something again."""
        self._paused = False
        self._transport.resume_reading()
        self._flush()

    # the server's side

    def drain(self) -> None:
        """Tells the client to send no more requests here; those it has sent are answered."""
        self._http2.send_shutdown_notice()
        self._flush()

    def finish(self) -> None:
        """Takes no more requests, and closes once the last is answered."""
        self._draining = True
        for exchange in list(self._exchanges.values()):
            if exchange.answering is not None and exchange.answering.endless:
                self._end(exchange, RequestError("The connection ends.", code="UNAVAILABLE"))
        if not self._transport.is_closing() and self._http2.want_read:
            self._http2.send_goaway(_NO_ERROR)
        self._flush()

    def abort(self) -> None:
        """Closes at once."""
        self._transport.abort()

    def look_after(self) -> None:
        """Ends what has waited too long; called every few seconds."""
        now = self._loop.time()
        quiet = now - self._heard
        late = [one for one in self._exchanges.values() if not one.whole and now - one.began > REQUEST_S]
        slow = RequestError(f"A request must be whole within {REQUEST_S:g} s.", code="DEADLINE_EXCEEDED")
        for exchange in late:
            self._say(functools.partial(self._end, exchange, slow))
        if self._is_gone(now, quiet):
            self._transport.abort()
        elif quiet > _IDLE_S and self._pinged_at is None:
            self._pinged_at = now
            self._say(lambda: self._http2.ping(b"roadwrth"))

    async def _age(self, longest_s: float) -> None:
        """Gives the connection up when it is old, so that its client asks the load balancer again."""
        await asyncio.sleep(longest_s)
        self.drain()
        await asyncio.sleep(NOTICE_S)
        self.finish()

    def _is_gone(self, now: float, quiet: float) -> bool:
        unread = self._paused or self._http2.queued_body_size() > 0
        unanswered = self._pinged_at is not None and now - self._pinged_at > _PING_S
        return (unread and quiet > _STALL_S) or (not self._greeted and quiet > _HANDSHAKE_S) or unanswered

    # HTTP/2's side

    def _head(self, event: Any) -> None:
        headers, now = event.headers, self._loop.time()
        found = dict(headers)
        path = found.get(b":path", b"")
        call = Call("grpc", self._service.name_of(path), peer=self._peer, headers=headers)
        exchange = Exchange(
            event.stream_id, path, call, now, None, found.get(b"grpc-encoding", b"identity").decode("latin-1")
        )
        self._exchanges[exchange.number] = exchange
        if found.get(b":method") != b"POST":
            self._refuse(exchange, _REFUSED_VERB)
        elif not found.get(b"content-type", b"").startswith(b"application/grpc"):
            self._refuse(exchange, _REFUSED_TYPE)
        else:
            self._begin(exchange, found.get(b"grpc-timeout"))
        if event.end_stream and exchange.number in self._exchanges:
            self._ask(exchange)

    def _begin(self, exchange: Exchange, timeout: bytes | None) -> None:
        try:
            if timeout is not None:
                exchange.deadline = exchange.began + grpc_wire.timeout_s(timeout)
            if self._http2.queued_body_size() > _MAX_QUEUED_BYTES:
                raise RequestError("Answers must be read before more is asked.", code="RESOURCE_EXHAUSTED")
            self._service.arrived(exchange.path, exchange.call)
        except Exception as error:
            self._end(exchange, error)

    def _data(self, event: Any) -> None:
        exchange = self._exchanges.get(event.stream_id)
        if exchange is None:
            return
        exchange.body += event.data
        try:
            self._service.take(exchange.body, len(event.data))
        except RequestError as error:
            self._end(exchange, error)
            return
        if event.end_stream:
            self._ask(exchange)

    def _trailers(self, event: Any) -> None:
        exchange = self._exchanges.get(event.stream_id)
        if exchange is not None:
            self._ask(exchange)

    def _closed(self, event: Any) -> None:
        exchange = self._exchanges.get(event.stream_id)
        if exchange is not None:
            self._cancel(exchange)

    def _settings(self, _: Any) -> None:
        self._greeted = True

    def _pong(self, _: Any) -> None:
        self._pinged_at = None

    # a request's way

    def _ask(self, exchange: Exchange) -> None:
        """Has a whole request answered, at once or later."""
        exchange.whole = True
        try:
            if exchange.deadline is not None and self._loop.time() >= exchange.deadline:
                raise TimeoutError
            body, exchange.body = exchange.body, bytearray()
            self._service.let_go(len(body))
            answering = self._service.answer(exchange.path, exchange.call, body, exchange.encoding)
            if not isinstance(answering, bytes):
                exchange.answering = answering
                answering.begin(functools.partial(self._answered, exchange))
        except Exception as error:
            self._end(exchange, error)
            return
        if isinstance(answering, bytes):
            self._send(exchange, answering)
        elif exchange.deadline is not None and exchange.number in self._exchanges:
            exchange.timer = self._loop.call_at(exchange.deadline, self._too_late, exchange)

    def _answered(self, exchange: Exchange, message: bytes | None, error: BaseException | None) -> None:
        """Sends what was worked on elsewhere; of an endless answer, its next message."""
        if exchange.number not in self._exchanges:
            return
        if error is not None:
            self._say(lambda: self._end(exchange, error))
        elif exchange.answering is not None and exchange.answering.endless:
            self._say(lambda: self._stream(exchange, message or b""))
        else:
            self._say(lambda: self._send(exchange, message or b""))

    def _say(self, say: Callable[[], None]) -> None:
        """Says something unasked; where the client broke HTTP/2 meanwhile, the connection ends without it."""
        try:
            say()
        except ngh2.NGH2Error as error:
            _LOG.info("%s: connection closed: %s", self._peer, error)
            self._transport.close()
            return
        self._flush()

    def _send(self, exchange: Exchange, message: bytes) -> None:
        number, call = exchange.number, exchange.call
        http2 = self._http2
        http2.send_response(number, (*grpc_wire.HEAD, *call.answer_headers) if call.answer_headers else grpc_wire.HEAD)
        http2.send_data(number, grpc_wire.framed(message))
        http2.send_trailers(number, grpc_wire.TRAILERS)
        call.response_bytes = len(message)
        self._over(exchange, None)

    def _stream(self, exchange: Exchange, message: bytes) -> None:
        if not exchange.call.response_bytes:
            self._http2.send_response(exchange.number, grpc_wire.HEAD)
        framed = grpc_wire.framed(message)
        exchange.call.response_bytes += len(framed)
        self._http2.send_data(exchange.number, framed)

    def _end(self, exchange: Exchange, error: BaseException) -> None:
        """Ends a request with a status."""
        code = code_of(error)
        if code == "INTERNAL" and not isinstance(error, RequestError):
            _LOG.error("%s %s failed", exchange.call.method, exchange.call.model, exc_info=error)
        text = "Deadline Exceeded" if isinstance(error, TimeoutError) else _text(error)
        trailers = grpc_wire.status(code, text)
        if exchange.call.response_bytes:
            self._http2.send_trailers(exchange.number, trailers)
            self._over(exchange, error)
        else:
            self._refuse(exchange, (*grpc_wire.HEAD, *exchange.call.answer_headers, *trailers), error)

    def _refuse(self, exchange: Exchange, headers: tuple[Header, ...], error: BaseException | None = None) -> None:
        """Answers with headers alone; what the client still sends of the request is not wanted."""
        self._http2.send_response(exchange.number, headers, end_stream=True)
        self._over(exchange, error or RequestError("refused", code="UNIMPLEMENTED"))
        if not exchange.whole:
            # Only once the answer is on its way, or nghttp2 would drop it with the stream.
            self._flush()
            if not self._transport.is_closing():
                self._http2.reset_stream(exchange.number, _NO_ERROR)

    def _too_late(self, exchange: Exchange) -> None:
        if exchange.number in self._exchanges:
            self._say(lambda: self._end(exchange, TimeoutError()))

    def _cancel(self, exchange: Exchange) -> None:
        """The client went away before its answer."""
        self._over(exchange, RequestError("The client went away.", code="CANCELLED"))

    def _over(self, exchange: Exchange, error: BaseException | None) -> None:
        del self._exchanges[exchange.number]
        if exchange.body:
            self._service.let_go(len(exchange.body))
        if exchange.timer is not None:
            exchange.timer.cancel()
        if exchange.answering is not None:
            exchange.answering.stop()
        self._service.observers.done(exchange.call, error)

    def _flush(self) -> None:
        http2, transport = self._http2, self._transport
        while not self._paused and not transport.is_closing():
            data = http2.data_to_send(_WRITE_BYTES)
            if not data:
                break
            transport.write(data)
        over = self._draining and not self._exchanges and not http2.want_write
        if over or not (http2.want_read or http2.want_write):
            transport.close()


def _peer_name(address: Any) -> str:
    if not isinstance(address, tuple):
        return "unix"
    host, port, *_ = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _text(error: BaseException) -> str:
    """What a client is told; of our own faults only that there is one."""
    return str(error) if isinstance(error, RequestError) else "The server failed; its log tells why."
