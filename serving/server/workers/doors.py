"""Where clients come in: each is handed to the worker that has the fewest.

The kernel could share them out as well (SO_REUSEPORT), but by chance: of sixteen clients, eleven may come to one of two
workers, and clients of gRPC stay where they are for hours.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from roadworthy.serving.server.workers.worker import Worker

# How a client asks, as a byte beside it.
GRPC: Final = b"g"
REST: Final = b"r"
# Clients taken in before others get their turn on the event loop.
_AT_A_TIME: Final = 64
# Until the next try, where no worker takes a client or the system gives none.
_RETRY_S: Final = 0.01


class Doors:
    """Accepts clients; belongs to the event loop's thread."""

    def __init__(self, doors: Mapping[socket.socket, bytes], workers: Callable[[], Sequence[Worker]]) -> None:
        """Accepts nobody yet.

        Args:
            doors: sockets that listen, and the byte that tells a worker how their clients ask.
            workers: those that take clients now.
        """
        self._doors = dict(doors)
        self._workers = workers

    async def open(self) -> None:
        """Lets clients in from now on."""
        for door in self._doors:
            door.setblocking(False)
            self._watch(door)

    def close(self) -> None:
        """Lets no more clients in."""
        loop = asyncio.get_running_loop()
        for door in self._doors:
            loop.remove_reader(door)
            door.close()

    def _watch(self, door: socket.socket) -> None:
        asyncio.get_running_loop().add_reader(door, self._let_in, door)

    def _let_in(self, door: socket.socket) -> None:
        for _ in range(_AT_A_TIME):
            try:
                client, _address = door.accept()
            except BlockingIOError:
                return
            except OSError:
                self._wait(door)
                return
            if not self._hand(client, self._doors[door]):
                self._wait(door, client)
                return

    def _hand(self, client: socket.socket, transport: bytes) -> bool:
        for worker in sorted(self._workers(), key=lambda worker: worker.clients):
            if worker.hand(transport, client):
                client.close()
                return True
        return False

    def _wait(self, door: socket.socket, client: socket.socket | None = None) -> None:
        """Leaves clients in the queue for a moment, since nobody can take them, nor the one that came already."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(door)
        loop.call_later(_RETRY_S, self._go_on, door, client)

    def _go_on(self, door: socket.socket, client: socket.socket | None) -> None:
        if door.fileno() < 0:
            if client is not None:
                client.close()
        elif client is not None and not self._hand(client, self._doors[door]):
            self._wait(door, client)
        else:
            self._watch(door)
