"""Uvicorn as the HTTP server of REST, on an event loop that isn't its own."""

import asyncio
import socket
import ssl
from typing import Final

import uvicorn

from roadworthy.serving.server.rest_app import Application

_LOOK_S: Final = 0.005


class RestServer:
    """Serves an application on a socket that is bound already; belongs to the event loop's thread."""

    def __init__(self, app: Application, bound: socket.socket, *, drain_s: int) -> None:
        self._socket = bound
        self._config = uvicorn.Config(
            app,  # type: ignore[arg-type]
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=drain_s,
        )
        self._server = uvicorn.Server(self._config)
        self._serving: asyncio.Task[None] | None = None

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        """Returns once it answers.

        Args:
            tls: for every connection; None is plain HTTP.
        """
        self._config.load()
        self._config.ssl = tls
        self._serving = asyncio.get_running_loop().create_task(self._server.serve(sockets=[self._socket]))
        # Uvicorn says that it has started only by a flag.
        while not self._server.started and not self._serving.done():
            await asyncio.sleep(_LOOK_S)
        if self._serving.done():
            self._serving.result()

    async def stop(self) -> None:
        """Takes no more requests, and returns once those under way are answered."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving


def with_cors(app: Application) -> Application:
    """The application for pages of any origin."""
    from starlette.middleware.cors import CORSMiddleware

    return CORSMiddleware(app, allow_origins=["*"], allow_headers=["*"])  # type: ignore[arg-type,return-value]
