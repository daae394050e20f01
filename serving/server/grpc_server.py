"""The gRPC server on an event loop: listens, looks after its connections, and stops without losing a request."""

import asyncio
import functools
import socket
import ssl
from collections.abc import Sequence
from typing import Final

from roadworthy.serving.server.grpc_connection import NOTICE_S, GrpcConnection
from roadworthy.serving.server.grpc_service import GrpcService

_LOOK_EVERY_S: Final = 5.0
_POLL_S: Final = 0.02


class GrpcServer:
    """Serves on sockets that are bound already; belongs to the event loop's thread."""

    def __init__(self, service: GrpcService, sockets: Sequence[socket.socket], *, max_connections: int) -> None:
        """Serves nothing yet.

        Args:
            service: answers.
            sockets: where; they listen already. Where there are none, clients come by `take`.
            max_connections: most connections, idle ones among them; those beyond are closed.
        """
        self._sockets = sockets
        self._connections: set[GrpcConnection] = set()
        self._make = functools.partial(GrpcConnection, service, self._connections, max_connections)
        self._tls: ssl.SSLContext | None = None
        self._servers: list[asyncio.Server] = []
        self._looking: asyncio.Task[None] | None = None

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        """Begins to answer.

        Args:
            tls: for every socket; it must offer ``h2`` by ALPN, without which gRPC's own clients hang up.
        """
        loop = asyncio.get_running_loop()
        self._tls = tls
        self._servers = [await loop.create_server(self._make, sock=bound, ssl=tls) for bound in self._sockets]
        self._looking = loop.create_task(self._look_after())

    async def take(self, client: socket.socket) -> None:
        """Takes in a client that another process has accepted."""
        await asyncio.get_running_loop().connect_accepted_socket(self._make, client, ssl=self._tls)

    def open_connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    async def stop(self, *, grace_s: float) -> None:
        """Takes no more requests, and returns once those under way are answered or the time is over."""
        for server in self._servers:
            server.close()
        for connection in self._connections:
            connection.drain()
        if self._connections:
            await asyncio.sleep(NOTICE_S)
        for connection in list(self._connections):
            connection.finish()
        deadline = asyncio.get_running_loop().time() + grace_s
        while self._connections and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_POLL_S)
        for connection in list(self._connections):
            connection.abort()
        if self._looking is not None:
            self._looking.cancel()

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            for connection in list(self._connections):
                connection.look_after()
