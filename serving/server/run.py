"""The model server as a whole: manager, gRPC and REST, from start to a graceful stop."""

import contextlib
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn

from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.grpc_service import grpc_server
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.ports import address, check_host, check_ports, listen
from roadworthy.serving.server.rest_app import rest_app

GRPC_PORT: Final = 8500
REST_PORT: Final = 8501
# How long requests that are under way get to finish once the server is told to stop.
DRAIN_S: Final = 30
_REST_START_S: Final = 30.0
_REST_LOOK_S: Final = 0.005
_GRPC_OPTION: Final = "--grpc-port"
_REST_OPTION: Final = "--rest-port"


def run_server(
    model_root: Path,
    *,
    host: str = "127.0.0.1",
    grpc_port: int = GRPC_PORT,
    rest_port: int = REST_PORT,
    poll_interval_s: float = 1.0,
    insecure: bool = False,
    on_ready: Callable[[int, int], None] = lambda grpc_port, rest_port: None,
) -> None:
    """Serves every model below a root until SIGINT or SIGTERM, then lets the requests under way finish.

    Signals reach only the main thread, so it has to run there; elsewhere `ModelServer` does the same.

    Args:
        model_root: folder of <name>/<version>/ folders.
        host: address to listen on.
        grpc_port: 0 is any free one.
        rest_port: 0 is any free one.
        poll_interval_s: seconds between two looks for new versions, > 0.
        insecure: allow a host other than loopback, though nothing is encrypted.
        on_ready: called with the gRPC and the REST port once both answer.

    Raises:
        ServeError: no such root, a host beyond loopback without `insecure`, or a port in use.
    """
    _log_to_stderr()
    with _stop_signals() as stop:
        server = ModelServer(
            model_root,
            host=host,
            grpc_port=grpc_port,
            rest_port=rest_port,
            poll_interval_s=poll_interval_s,
            insecure=insecure,
        )
        with server:
            on_ready(server.grpc_port, server.rest_port)
            stop.wait()


class ModelServer:
    """A running server as a context manager, for whoever has other things to do meanwhile.

    Attributes:
        grpc_port: the port it really listens on.
        rest_port: the port it really listens on.
    """

    def __init__(
        self,
        model_root: Path,
        *,
        host: str = "127.0.0.1",
        grpc_port: int = 0,
        rest_port: int = 0,
        poll_interval_s: float = 1.0,
        insecure: bool = False,
    ) -> None:
        """Binds both ports; arguments and errors as of `run_server`."""
        check_host(host, insecure=insecure)
        self.manager = Manager(model_root, poll_interval_s=poll_interval_s)
        check_ports(host, {_GRPC_OPTION: grpc_port, _REST_OPTION: rest_port})
        self._grpc, self.grpc_port = grpc_server(self.manager, address=address(host, grpc_port))
        self._socket = listen(host, rest_port, option=_REST_OPTION)
        self.rest_port: int = self._socket.getsockname()[1]
        self._rest = uvicorn.Server(
            uvicorn.Config(
                rest_app(self.manager),
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=DRAIN_S,
            )
        )
        self._rest_thread = threading.Thread(target=_serve, args=(self._rest, self._socket), name="rest", daemon=True)

    def __enter__(self) -> "ModelServer":
        """Loads what can be served and starts to answer."""
        self.manager.start()
        self._grpc.start()
        self._rest_thread.start()
        self._await_rest()
        return self

    def __exit__(self, *_: object) -> None:
        """Takes no more requests, waits for those under way, and unloads everything."""
        self._rest.should_exit = True
        self._grpc.stop(grace=DRAIN_S).wait()
        self._rest_thread.join()
        self.manager.stop()

    def _await_rest(self) -> None:
        """Uvicorn says that it has started only by a flag."""
        deadline = time.monotonic() + _REST_START_S
        while not self._rest.started:
            if time.monotonic() > deadline or not self._rest_thread.is_alive():
                self.__exit__()
                raise ServeError(f"REST must start within {_REST_START_S:.0f} s. Received: it did not; see the log.")
            time.sleep(_REST_LOOK_S)


@contextlib.contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second one meets the handlers from before, so it ends a long drain."""
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        restore()

    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    try:
        yield stop
    finally:
        restore()


def _serve(server: uvicorn.Server, bound: socket.socket) -> None:
    server.run(sockets=[bound])


def _log_to_stderr() -> None:
    """Shows the server's own log unless the program that runs it has set up logging already."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("roadworthy.serving").setLevel(logging.INFO)
