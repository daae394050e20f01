"""A worker as its supervisor sees it: a process, the calls it takes, and the clients it has."""

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from roadworthy.serving.server.workers.channel import Answer, Channel

_PROCESS: Final = "roadworthy.serving.server.workers.process"
# From a worker's last word to its end.
_END_S: Final = 10.0


class Worker:
    """A process that answers clients; belongs to the event loop's thread.

    Attributes:
        number: which one it is, from 1 on; the one that takes its place has the same.
        counts: what it last told of its metrics.
    """

    def __init__(self, number: int, arguments: Sequence[str], answers: Mapping[str, Answer]) -> None:
        """Starts the process.

        Args:
            number: which one it is.
            arguments: the server's own command line.
            answers: what it may call, by name.
        """
        self.number = number
        self.counts: Any = None
        # How many clients it was handed, how many of these had come when it last told, and how many it then had.
        self._handed, self._told_taken, self._told_open = 0, 0, 0
        calls, its_calls = socket.socketpair()
        self._handing, its_handing = socket.socketpair()
        self._handing.setblocking(False)
        ends = its_calls.fileno(), its_handing.fileno()
        # -P: what lies in the working directory is none of its modules.
        command = [sys.executable, "-P", "-m", _PROCESS, str(number), *map(str, ends), *arguments]
        with its_calls, its_handing:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter and the flags it was given
                command, pass_fds=ends, stdin=subprocess.DEVNULL
            )
        self._channel = Channel(calls, {**answers, "clients": self._take_clients})

    async def run(self) -> None:
        """Returns once the process has ended."""
        await self._channel.run()
        self._handing.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            # It closes its end when it is done; what then still goes on is of no use to anybody.
            await asyncio.to_thread(self._process.wait, _END_S)
        self.kill()
        await asyncio.to_thread(self._process.wait)

    async def open(self) -> None:
        """Calls can be made from now on."""
        await self._channel.open()

    async def call(self, name: str, /, **given: Any) -> Any:
        """As `Channel.call`."""
        return await self._channel.call(name, **given)

    async def load(self, name: str, number: int, path: Path) -> None:
        """Has it load a version, to which it lets no request yet.

        Raises:
            ServeError, RequestError: it can't.
        """
        await self._channel.call("load", name=name, number=number, path=str(path))

    @property
    def clients(self) -> int:
        """How many are connected to it, as far as is known."""
        return self._handed - self._told_taken + self._told_open

    def hand(self, transport: bytes, client: socket.socket) -> bool:
        """Gives it a client; says whether it takes one now."""
        try:
            socket.send_fds(self._handing, [transport], [client.fileno()])
        except OSError:
            return False
        self._handed += 1
        return True

    @property
    def ended(self) -> str:
        """How the process ended, in words."""
        code = self._process.returncode
        if code is None:
            return "hangs"
        return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"

    def kill(self) -> None:
        """Ends it at once, if it hasn't ended."""
        if self._process.returncode is None:
            self._process.kill()

    async def _take_clients(self, *, taken: int, open: int) -> None:
        self._told_taken, self._told_open = taken, open
