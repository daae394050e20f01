"""A worker's own process: answers the clients it is handed, with the models it is told to load.

Started by the supervisor as `python -m roadworthy.serving.server.workers.process NUMBER CALLS CLIENTS FLAG…`, where
CALLS and CLIENTS are file descriptors: ends of pairs of sockets whose other ends the supervisor has.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from roadworthy.serving.errors import RoadworthyError
from roadworthy.serving.servables.blas import one_blas_thread
from roadworthy.serving.server.flags import parser
from roadworthy.serving.server.loop_thread import LoopThread
from roadworthy.serving.server.observe import Observer
from roadworthy.serving.server.run import keep_what_is_loaded, log_to_stderr
from roadworthy.serving.server.transports import Transports
from roadworthy.serving.server.work import Work
from roadworthy.serving.server.workers import doors
from roadworthy.serving.server.workers.channel import Answer, Channel
from roadworthy.serving.server.workers.follower import Follower
from roadworthy.serving.server.workers.table import Table

# Between two looks at how many clients there are.
_COUNT_EVERY_S: Final = 0.2


def main(arguments: Sequence[str]) -> int:
    """Answers until the supervisor says so or is gone.

    Returns:
        Exit code: 0, or 2 for flags that can't be had, of which the supervisor is told.
    """
    number, calls, clients, *flags = arguments
    # Told to stop is the supervisor, also where a signal comes to all processes of a group.
    for of_group in (signal.SIGINT, signal.SIGTERM):
        signal.signal(of_group, signal.SIG_IGN)
    log_to_stderr(teller=f"worker {number}: ")
    # As in a server of one process: what is made while it starts stays.
    gc.disable()
    one_blas_thread()
    loop = LoopThread()
    loop.start()
    worker = _Process(loop, socket.socket(fileno=int(calls)), socket.socket(fileno=int(clients)))
    try:
        return worker.run(flags)
    finally:
        loop.stop()


class _Process:
    def __init__(self, loop: LoopThread, calls: socket.socket, clients: socket.socket) -> None:
        self._loop = loop
        self._clients = clients
        self._taken = 0
        self._channel = Channel(calls, self._answers())
        self._failure: RoadworthyError | None = None
        self._can_answer = threading.Event()
        self._stop = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, flags: Sequence[str]) -> int:
        self._loop.run(self._channel.open())
        self._loop.submit(self._follow())
        with contextlib.ExitStack() as closing:
            try:
                self._make(flags, closing)
            except RoadworthyError as error:
                self._failure = error
            self._can_answer.set()
            self._stop.wait()
            self._loop.run(self._finish_all())
        return 0 if self._failure is None else self._failure.exit_code

    def _make(self, flags: Sequence[str], closing: contextlib.ExitStack) -> None:
        """Makes what answers; of the flags, models and addresses are the supervisor's."""
        from roadworthy.serving.server.main import listening_of, open_version_of, operation_of
        from roadworthy.serving.server.operation import observing

        given = parser().parse_args(flags)
        self._listening = listening_of(given, os.environ)
        self._served = Follower(open_version_of(given), self._pass_on)
        observers = closing.enter_context(observing(operation_of(given, self._listening.metrics_path), self._served))
        self._work = Work(quick_on_loop=self._listening.quick_on_loop, at_once=self._served.at_once)
        closing.callback(self._served.unload_all)
        closing.callback(self._work.close)
        self._transports = self._loop.run(self._make_transports(observers))

    async def _make_transports(self, observers: Sequence[Observer]) -> Transports:
        return Transports(
            self._served,
            self._work,
            self._listening,
            grpc=[],
            rest=None if self._listening.rest_port is None else [],
            observers=observers,
            metrics_text=self._metrics_text,
        )

    async def _follow(self) -> None:
        """Does what the supervisor says; without one there is nothing to stay for."""
        try:
            await self._channel.run()
        finally:
            self._stop.set()

    def _answers(self) -> dict[str, Answer]:
        """What the supervisor may call."""
        return {
            "hello": self._hello,
            "load": self._load,
            "serve": self._serve,
            "unload": self._unload,
            "table": self._take_table,
            "begin": self._begin,
            "counts": self._counts,
            "drain": self._drain,
            "finish": self._finish,
        }

    async def _hello(self) -> None:
        await asyncio.to_thread(self._can_answer.wait)
        if self._failure is not None:
            raise self._failure

    async def _load(self, *, name: str, number: int, path: str) -> None:
        await asyncio.to_thread(self._served.load, name, number, Path(path))

    async def _serve(self, *, name: str, number: int) -> None:
        self._served.serve(name, number)

    async def _unload(self, *, name: str, number: int) -> None:
        await asyncio.to_thread(self._served.unload, name, number)

    async def _take_table(self, *, table: dict[str, Any]) -> None:
        self._served.take(Table.of_plain(table))

    async def _begin(self) -> None:
        await self._transports.start()
        self._clients.setblocking(False)
        asyncio.get_running_loop().add_reader(self._clients, self._take_clients)
        self._keep(self._count_clients())
        keep_what_is_loaded()

    async def _counts(self) -> Any:
        return None if self._transports.metrics is None else self._transports.metrics.plain()

    async def _drain(self) -> None:
        self._transports.drain()

    async def _finish(self) -> None:
        asyncio.get_running_loop().remove_reader(self._clients)
        self._take_clients()
        self._stop.set()

    async def _finish_all(self) -> None:
        if self._failure is None:
            self._transports.drain()
            await self._transports.finish()

    def _take_clients(self) -> None:
        """Takes in the clients that were handed over."""
        while True:
            try:
                kind, received, _, _ = socket.recv_fds(self._clients, 1, 1)
            except BlockingIOError:
                return
            if not kind:
                # The supervisor is gone, which the other socket tells as well.
                asyncio.get_running_loop().remove_reader(self._clients)
                return
            self._taken += 1
            for descriptor in received:
                self._keep(self._transports.take(socket.socket(fileno=descriptor), over_rest=kind == doors.REST))

    async def _count_clients(self) -> None:
        """Tells the supervisor how many clients there are, whenever that has changed."""
        told = (0, 0)
        while True:
            await asyncio.sleep(_COUNT_EVERY_S)
            counted = self._taken, self._transports.open_connections()
            if counted != told:
                told = counted
                self._channel.tell("clients", taken=counted[0], open=counted[1])

    async def _metrics_text(self) -> str:
        text: str = await self._channel.call("metrics")
        return text

    def _pass_on(self, message: Any) -> None:
        self._loop.run(self._channel.call("reload", config=message.SerializeToString().hex()))

    def _keep(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
