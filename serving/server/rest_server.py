"""Uvicorn as the HTTP server of REST, on an event loop that isn't its own."""

import asyncio
import functools
import socket
import ssl
from collections.abc import Sequence
from typing import Final

from roadworthy.serving.server.listening import MAX_CONNECTIONS
from roadworthy.serving.server.rest_app import Application
from roadworthy.serving.server.rest_connection import RestConnection, ShortWay
from roadworthy.serving.server.uvicorn_parts import Config, Server

_LOOK_S: Final = 0.005
_LOOK_AFTER_EVERY_S: Final = 2.0


class RestServer:
    """Serves an application on a socket that is bound already; belongs to the event loop's thread."""

    def __init__(
        self,
        app: Application,
        sockets: Sequence[socket.socket],
        *,
        drain_s: float,
        timeout_s: float,
        short_way: ShortWay | None = None,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        """Serves nothing yet.

        Args:
            app: answers.
            sockets: where; they listen already. Where there are none, clients come by `take`.
            drain_s: how long requests under way get to finish.
            timeout_s: longest time the application takes for a request.
            short_way: the application's, see `RestConnection`; None is none.
            max_connections: most connections, idle ones among them.
        """
        self._sockets = list(sockets)
        self._timeout_s = timeout_s
        self._config = Config(
            app,  # type: ignore[arg-type]
            http=functools.partial(  # type: ignore[arg-type]
                RestConnection, max_connections=max_connections, short_way=short_way
            ),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=drain_s,  # type: ignore[arg-type]
        )
        self._server = Server(self._config)
        self._serving: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        """Returns once it answers.

        Args:
            tls: for every connection; None is plain HTTP.
        """
        self._config.load()
        self._config.ssl = tls
        self._serving = asyncio.get_running_loop().create_task(self._server.serve(sockets=self._sockets))
        # Uvicorn says that it has started only by a flag.
        while not self._server.started and not self._serving.done():
            await asyncio.sleep(_LOOK_S)
        if self._serving.done():
            self._serving.result()
        self._looking = asyncio.get_running_loop().create_task(self._look_after())

    async def take(self, client: socket.socket) -> None:
        """Takes in a client that another process has accepted."""
        loop = asyncio.get_running_loop()
        make = functools.partial(
            self._config.http_protocol_class,
            config=self._config,  # type: ignore[call-arg]
            server_state=self._server.server_state,
            app_state=self._server.lifespan.state,
        )
        await loop.connect_accepted_socket(make, client, ssl=self._config.ssl)

    def open_connections(self) -> int:
        """How many clients are connected."""
        return len(self._server.server_state.connections)

    async def stop(self) -> None:
        """Takes no more requests, and returns once those under way are answered."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
        if self._looking is not None:
            self._looking.cancel()

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_AFTER_EVERY_S)
            for connection in list(self._server.server_state.connections):
                if isinstance(connection, RestConnection):
                    connection.look_after(body_s=self._timeout_s)


def with_cors(app: Application) -> Application:
    """The application for pages of any origin."""
    from starlette.middleware.cors import CORSMiddleware

    return CORSMiddleware(app, allow_origins=["*"], allow_headers=["*"], allow_methods=["GET", "POST"])  # type: ignore[arg-type,return-value]
