"""The model server as a whole: manager, gRPC and REST, from start to a graceful stop."""

import contextlib
import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Final

from roadworthy.serving.server.listening import Listening
from roadworthy.serving.server.loop_thread import LoopThread
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.ports import allow_open_files, check_host, check_ports, listen, listen_unix
from roadworthy.serving.server.work import Work

if TYPE_CHECKING:
    from roadworthy.serving.server.observe import Observer
    from roadworthy.serving.server.transports import Transports

# Models, logs and whatever libraries open, beside the connections.
_OTHER_FILES: Final = 512
_STDERR: Final = 2
# What a shell adds to the number of the signal that ended a process.
_BY_SIGNAL: Final = 128
_GRPC_OPTION: Final = "--grpc-port"
_REST_OPTION: Final = "--rest-port"
_DEFAULT: Final = Listening()
_ANY_PORTS: Final = Listening(grpc_port=0, rest_port=0)


def run_server(
    manager: Manager,
    listening: Listening = _DEFAULT,
    *,
    observers: "Sequence[Observer]" = (),
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
    allow_connections(listening)
    with stop_signals() as stop, ModelServer(manager, listening, observers=observers) as server:
        keep_what_is_loaded()
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
        listening: Listening = _ANY_PORTS,
        *,
        observers: "Sequence[Observer]" = (),
    ) -> None:
        """Binds the ports; arguments and errors as of `run_server`."""
        check_host(listening.host, encrypted=listening.tls is not None, insecure=listening.insecure)
        self.manager = manager
        self._listening = listening
        self._observers = observers
        self._work = Work(quick_on_loop=listening.quick_on_loop, at_once=manager.at_once)
        self._grpc_socket, self._rest_socket = bind(listening)
        self.grpc_port: int = self._grpc_socket.getsockname()[1]
        self.rest_port: int | None = self._rest_socket.getsockname()[1] if self._rest_socket else None
        self._loop = LoopThread()

    def __enter__(self) -> "ModelServer":
        """Loads what can be served and starts to answer."""
        self._loop.start()
        try:
            # Their modules are imported while the models load.
            transports = self._loop.submit(self._make_transports())
            self.manager.start()
            self._transports = transports.result()
            self._loop.run(self._transports.start())
        except BaseException:
            self._loop.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Takes no more requests, waits for those under way, and unloads everything."""
        self._loop.run(self._transports.stop())
        self._work.close()
        self._loop.stop()
        self.manager.stop()

    async def _make_transports(self) -> "Transports":
        from roadworthy.serving.server.transports import Transports

        unix = self._listening.grpc_socket
        return Transports(
            self.manager,
            self._work,
            self._listening,
            grpc=[self._grpc_socket, *([listen_unix(unix)] if unix is not None else [])],
            rest=None if self._rest_socket is None else [self._rest_socket],
            observers=self._observers,
        )


def keep_what_is_loaded() -> None:
    """Modules and models stay, so a full collection need not go through them all while requests wait."""
    gc.freeze()
    gc.enable()


def allow_connections(listening: Listening) -> None:
    """Lets this process, and those that it starts, open as many files as so many connections need."""
    allow_open_files(2 * listening.max_connections + _OTHER_FILES)


def bind(listening: Listening) -> tuple[socket.socket, socket.socket | None]:
    """The sockets of gRPC and REST, of which a port that is taken leaves none behind.

    Raises:
        ServeError: a port is in use or not allowed.
    """
    ports = {_GRPC_OPTION: listening.grpc_port, _REST_OPTION: listening.rest_port}
    check_ports(listening.host, {option: port for option, port in ports.items() if port is not None})
    grpc = listen(listening.host, listening.grpc_port, option=_GRPC_OPTION)
    rest = None
    if listening.rest_port is not None:
        rest = listen(listening.host, listening.rest_port, option=_REST_OPTION)
    return grpc, rest


@contextlib.contextmanager
def stop_signals(*, at_once: Callable[[], None] = lambda: None) -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second one ends the process at once, whatever is under way.

    Args:
        at_once: done first, when the second one comes.
    """
    stop = threading.Event()

    def ask_to_stop(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os.write(_STDERR, b"A second signal: stopped at once, requests under way are lost.\n")
            at_once()
            os._exit(_BY_SIGNAL + number)
        stop.set()

    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def log_to_stderr(*, teller: str = "") -> None:
    """Shows the server's own log unless the program that runs it has set up logging already.

    Args:
        teller: stands before each message, where several processes write.
    """
    logging.basicConfig(format=f"%(asctime)s %(levelname)s {teller}%(message)s", level=logging.WARNING)
    logging.getLogger("roadworthy.serving").setLevel(logging.INFO)
