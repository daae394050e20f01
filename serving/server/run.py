"""The model server as a whole: manager, gRPC and REST, from start to a graceful stop."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final

from roadworthy.serving.server.grpc_server import GrpcServer
from roadworthy.serving.server.grpc_service import GrpcService, limits_of
from roadworthy.serving.server.health import Health
from roadworthy.serving.server.incoming import Incoming
from roadworthy.serving.server.loop_thread import LoopThread
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.metrics import CONTENT_TYPE, Metrics
from roadworthy.serving.server.observe import Observer, Observers
from roadworthy.serving.server.page.application import page_routes
from roadworthy.serving.server.ports import allow_open_files, check_host, check_ports, listen, listen_unix
from roadworthy.serving.server.readiness import LIVE_PATH, READY_PATH, Readiness, live
from roadworthy.serving.server.rest_app import Application, RestApp, text_page
from roadworthy.serving.server.rest_server import MAX_CONNECTIONS, RestServer, with_cors
from roadworthy.serving.server.tls import Tls
from roadworthy.serving.server.work import Work

GRPC_PORT: Final = 8500
REST_PORT: Final = 8501
REST_TIMEOUT_S: Final = 30.0
# The same for both transports; of what came packed, unpacked.
MAX_REQUEST_BYTES: Final = 128 * 1024 * 1024
# How long requests that are under way get to finish once the server is told to stop.
DRAIN_S: Final = 30.0
# As many of the longest requests may be coming in at a time.
_INCOMING_REQUESTS: Final = 4
# Models, logs and whatever libraries open, beside the connections.
_OTHER_FILES: Final = 512
_STDERR: Final = 2
# What a shell adds to the number of the signal that ended a process.
_BY_SIGNAL: Final = 128
_GRPC_OPTION: Final = "--grpc-port"
_REST_OPTION: Final = "--rest-port"


@dataclass(frozen=True)
class Listening:
    """Where a server answers, and how.

    Attributes:
        host: address to listen on.
        grpc_port: 0 is any free one.
        rest_port: 0 is any free one; None is no REST.
        tls: for both transports; None is plain.
        insecure: allow a host other than loopback, though nothing is encrypted.
        grpc_socket: path of a unix socket on which gRPC answers as well.
        grpc_options: channel arguments of gRPC by name.
        rest_timeout_s: longest time a REST request may take.
        cors: let pages of any origin ask over REST.
        metrics_path: where REST tells Prometheus of the requests; None is nowhere.
        health: answer gRPC's health service too.
        page: show people what is served, at `/` of REST.
        max_request_bytes: longest request taken, unpacked.
        max_connections: most connections of each transport.
        drain_delay_s: told to stop, how long it goes on as before but for its health, until load balancers noticed.
        drain_s: how long requests under way then get to finish.
        quick_on_loop: let the event loop answer what is quick; see `Work`.
    """

    host: str = "127.0.0.1"
    grpc_port: int = GRPC_PORT
    rest_port: int | None = REST_PORT
    tls: Tls | None = None
    insecure: bool = False
    grpc_socket: Path | None = None
    grpc_options: Mapping[str, str | int] = field(default_factory=dict)
    rest_timeout_s: float = REST_TIMEOUT_S
    cors: bool = False
    metrics_path: str | None = None
    health: bool = False
    page: bool = True
    max_request_bytes: int = MAX_REQUEST_BYTES
    max_connections: int = MAX_CONNECTIONS
    drain_delay_s: float = 0.0
    drain_s: float = DRAIN_S
    quick_on_loop: bool = True


def run_server(
    manager: Manager,
    listening: Listening = Listening(),
    *,
    observers: Sequence[Observer] = (),
    on_ready: Callable[[int, int | None], None] = lambda grpc_port, rest_port: None,
) -> None:
    """Serves until SIGINT or SIGTERM, then lets the requests under way finish.

    Signals reach only the main thread, so it has to run there; elsewhere `ModelServer` does the same.

    Args:
        manager: what is served.
        listening: where.
        observers: told of every request.
        on_ready: called with the gRPC and the REST port once both answer.

    Raises:
        ServeError: a host beyond loopback without TLS or `insecure`, or a port in use.
    """
    log_to_stderr()
    allow_open_files(2 * listening.max_connections + _OTHER_FILES)
    with _stop_signals() as stop, ModelServer(manager, listening, observers=observers) as server:
        on_ready(server.grpc_port, server.rest_port)
        stop.wait()


class ModelServer:
    """A running server as a context manager, for whoever has other things to do meanwhile.

    Attributes:
        manager: what is served.
        grpc_port: the port it really listens on.
        rest_port: the port it really listens on; None without REST.
    """

    def __init__(
        self,
        manager: Manager,
        listening: Listening = Listening(grpc_port=0, rest_port=0),
        *,
        observers: Sequence[Observer] = (),
    ) -> None:
        """Binds the ports; arguments and errors as of `run_server`."""
        check_host(listening.host, encrypted=listening.tls is not None, insecure=listening.insecure)
        self.manager = manager
        self._listening = listening
        self._work = Work(quick_on_loop=listening.quick_on_loop)
        self._incoming = Incoming(max_bytes=_INCOMING_REQUESTS * listening.max_request_bytes)
        self._health = Health() if listening.health else None
        self._readiness = Readiness()
        self._metrics = Metrics() if listening.metrics_path else None
        self._observers = Observers([*observers, *([self._metrics] if self._metrics else [])])
        self._grpc_socket, self._rest_socket = _listen(listening)
        self.grpc_port: int = self._grpc_socket.getsockname()[1]
        self.rest_port: int | None = self._rest_socket.getsockname()[1] if self._rest_socket else None
        self._loop = LoopThread()

    def __enter__(self) -> "ModelServer":
        """Loads what can be served and starts to answer."""
        self.manager.start()
        self._loop.start()
        self._loop.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        """Takes no more requests, waits for those under way, and unloads everything."""
        self._loop.run(self._stop())
        self._work.close()
        self._loop.stop()
        self.manager.stop()

    async def _start(self) -> None:
        self._grpc = self._grpc_server()
        tls = self._listening.tls
        await self._grpc.start(None if tls is None else tls.ssl_context("h2"))
        self._rest = self._rest_server(self._rest_socket) if self._rest_socket else None
        if self._rest is not None:
            await self._rest.start(None if tls is None else tls.ssl_context("http/1.1"))
        self._readiness.ready = True
        if self._health is not None:
            self._health.serving()

    async def _stop(self) -> None:
        self._readiness.ready = False
        if self._health is not None:
            self._health.not_serving()
        # Whoever shares out requests looks at the health only now and then, and sends some more meanwhile.
        await asyncio.sleep(self._listening.drain_delay_s)
        stops = [self._grpc.stop(grace_s=self._listening.drain_s)]
        if self._rest is not None:
            stops.append(self._rest.stop())
        await asyncio.gather(*stops)

    def _grpc_server(self) -> GrpcServer:
        listening = self._listening
        service = GrpcService(
            self.manager,
            self._work,
            self._incoming,
            observers=self._observers,
            health=self._health,
            **{"max_message_bytes": listening.max_request_bytes, **limits_of(listening.grpc_options)},
        )
        unix = [listen_unix(listening.grpc_socket)] if listening.grpc_socket is not None else []
        return GrpcServer(service, [self._grpc_socket, *unix], max_connections=listening.max_connections)

    def _rest_server(self, bound: socket.socket) -> RestServer:
        listening = self._listening
        app = self._rest_app()
        return RestServer(
            with_cors(app) if listening.cors else app,
            bound,
            drain_s=listening.drain_s,
            timeout_s=listening.rest_timeout_s,
            # Headers for other origins are added on the long way.
            answer_at_once=None if listening.cors else app.answer_at_once,
            max_connections=listening.max_connections,
        )

    def _rest_app(self) -> RestApp:
        listening = self._listening
        routes: dict[str, Application] = {LIVE_PATH: live, READY_PATH: self._readiness}
        if listening.page:
            routes |= page_routes(self.manager)
        if listening.metrics_path is not None and self._metrics is not None:
            routes[listening.metrics_path] = text_page(self._metrics.text, CONTENT_TYPE)
        return RestApp(
            self.manager,
            self._work,
            self._incoming,
            timeout_s=listening.rest_timeout_s,
            max_body_bytes=listening.max_request_bytes,
            observers=self._observers,
            routes=routes,
        )


def _listen(listening: Listening) -> tuple[socket.socket, socket.socket | None]:
    """The sockets of gRPC and REST, of which a port that is taken leaves none behind."""
    ports = {_GRPC_OPTION: listening.grpc_port, _REST_OPTION: listening.rest_port}
    check_ports(listening.host, {option: port for option, port in ports.items() if port is not None})
    grpc = listen(listening.host, listening.grpc_port, option=_GRPC_OPTION)
    rest = None
    if listening.rest_port is not None:
        rest = listen(listening.host, listening.rest_port, option=_REST_OPTION)
    return grpc, rest


@contextlib.contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second one ends the process at once, whatever is under way."""
    stop = threading.Event()

    def ask_to_stop(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os.write(_STDERR, b"A second signal: stopped at once, requests under way are lost.\n")
            os._exit(_BY_SIGNAL + number)
        stop.set()

    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def log_to_stderr() -> None:
    """Shows the server's own log unless the program that runs it has set up logging already."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("roadworthy.serving").setLevel(logging.INFO)
