"""All workers of a server: what one of them holds, all do, also one that takes the place of another."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from roadworthy.serving.errors import RoadworthyError, ServeError
from roadworthy.serving.server.metrics import Counts
from roadworthy.serving.server.workers.channel import Answer, Gone
from roadworthy.serving.server.workers.table import Table
from roadworthy.serving.server.workers.worker import Worker

_LOG: Final = logging.getLogger(__name__)
# Before a worker that ended is started again; twice as long each time, until one has lived for a while.
_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_LIVED_S: Final = 60.0
# What unloading and ending takes, once the last request is done.
_END_S: Final = 10.0


class Crew:
    """The workers; belongs to the event loop's thread.

    Attributes:
        workers: those that take clients.
    """

    def __init__(
        self, count: int, arguments: Sequence[str], *, drain_s: float, reload_asked: Callable[[bytes], None]
    ) -> None:
        """Starts nothing yet.

        Args:
            count: how many there are to be.
            arguments: the server's own command line, of which the workers take what concerns them.
            drain_s: how long requests under way get to finish.
            reload_asked: takes a client's serialized `ModelServerConfig`; may take its time, and raises RequestError.
        """
        self.workers: list[Worker] = []
        self._count = count
        self._arguments = arguments
        self._answers: dict[str, Answer] = {"reload": self._reload, "metrics": self._metrics_text}
        self._drain_s = drain_s
        self._reload_asked = reload_asked
        self._held: dict[tuple[str, int], Path] = {}
        self._table = Table()
        # What the workers hold changes under it, so that one that joins holds the same.
        self._changing = asyncio.Lock()
        self._begun = False
        self._stopping = False
        self._all: set[Worker] = set()
        self._watches: set[asyncio.Task[None]] = set()
        self._past = Counts()
        self._pauses_s: dict[int, float] = {}

    async def start(self) -> None:
        """Starts the workers, which answer nobody yet.

        Raises:
            ServeError: one of them can't be.
        """
        await _all_of([self._join(Worker(number, self._arguments, self._answers)) for number in self._numbers()])

    async def begin(self) -> None:
        """Has the workers take clients."""
        self._begun = True
        await self._each(lambda worker: worker.call("begin"))

    async def hold(self, name: str, number: int, path: Path) -> None:
        """Has every worker load a version, and then every one serve it.

        While anything is served, one worker goes ahead: a version that takes its process down leaves the others.

        Raises:
            ServeError, RequestError: one of them can't; then none of them serves it.
        """
        async with self._changing:
            workers = list(self.workers)
            if not workers:
                raise ServeError("There must be a worker to load it. Received: all of them have ended.")
            ahead = 1 if self._held else len(workers)
            try:
                for some in (workers[:ahead], workers[ahead:]):
                    await _all_of([_loaded(worker, name, number, path) for worker in some])
                # One that ends just now has its successor load it, with all that is held.
                await self._each(lambda worker: worker.call("serve", name=name, number=number))
            except RoadworthyError:
                await self._each(lambda worker: worker.call("unload", name=name, number=number))
                raise
            self._held[name, number] = path

    async def let_go(self, name: str, number: int) -> None:
        """Has every worker unload a version, once the last request in it is done."""
        async with self._changing:
            self._held.pop((name, number), None)
            await self._each(lambda worker: worker.call("unload", name=name, number=number))

    async def tell(self, table: Table) -> None:
        """Tells every worker what it may tell of models and versions; returns when all of them know."""
        async with self._changing:
            if table != self._table:
                self._table = table
                await self._each(lambda worker: worker.call("table", table=table.plain()))

    async def drain(self) -> None:
        """Has the workers say that they are about to stop; one that ends from now on stays away."""
        self._stopping = True
        await self._each(lambda worker: worker.call("drain"))

    async def finish(self) -> None:
        """Has the workers finish what is under way; returns once they have ended."""
        self._stopping = True
        await self._each(lambda worker: worker.call("finish"))
        ended = asyncio.gather(*self._watches)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended, self._drain_s + _END_S)

    def kill(self) -> None:
        """Ends every process at once."""
        self._stopping = True
        for worker in list(self._all):
            worker.kill()

    def _numbers(self) -> range:
        return range(1, self._count + 1)

    async def _join(self, worker: Worker) -> None:
        """Takes a worker in once it holds what the others do."""
        self._all.add(worker)
        await worker.open()
        watch = asyncio.get_running_loop().create_task(self._watch(worker))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)
        await _greeted(worker)
        async with self._changing:
            for (name, number), path in self._held.items():
                await worker.load(name, number, path)
                await worker.call("serve", name=name, number=number)
            await worker.call("table", table=self._table.plain())
            if self._begun:
                await worker.call("begin")
            if self._stopping:
                worker.kill()
            else:
                self.workers.append(worker)

    async def _watch(self, worker: Worker) -> None:
        """Sees a worker end, and puts another in its place."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await worker.run()
        self._all.discard(worker)
        if worker.counts is not None:
            self._past.add(Counts.of_plain(worker.counts))
        if worker not in self.workers:
            # It never came so far; whoever started it is told.
            return
        self.workers.remove(worker)
        if loop.time() - began > _LIVED_S:
            self._pauses_s.pop(worker.number, None)
        while not self._stopping:
            pause_s = self._pauses_s.get(worker.number, _PAUSE_S)
            self._pauses_s[worker.number] = min(2 * pause_s, _LONGEST_PAUSE_S)
            _LOG.error("worker %d %s; it is started again in %.1f s", worker.number, worker.ended, pause_s)
            await asyncio.sleep(pause_s)
            if self._stopping or await self._replaced(worker.number):
                return

    async def _replaced(self, number: int) -> bool:
        worker = Worker(number, self._arguments, self._answers)
        try:
            await self._join(worker)
        except RoadworthyError as error:
            worker.kill()
            _LOG.error("worker %d can't be started again: %s", number, error)
            return False
        _LOG.info("worker %d answers again", number)
        return True

    async def _each(self, do: Callable[[Worker], Awaitable[Any]]) -> None:
        """Has every worker do something; one that ends meanwhile need not."""
        done = await asyncio.gather(*map(do, self.workers), return_exceptions=True)
        for error in done:
            if isinstance(error, BaseException) and not isinstance(error, Gone):
                raise error

    async def _reload(self, *, config: str) -> None:
        await asyncio.to_thread(self._reload_asked, bytes.fromhex(config))

    async def _metrics_text(self) -> str:
        """What all workers counted, also those that have ended, up to when they last told."""
        await self._each(self._count_of)
        total = Counts()
        total.add(self._past)
        for worker in self._all:
            if worker.counts is not None:
                total.add(Counts.of_plain(worker.counts))
        return total.text()

    async def _count_of(self, worker: Worker) -> None:
        worker.counts = await worker.call("counts")


async def _greeted(worker: Worker) -> None:
    try:
        await worker.call("hello")
    except Gone as error:
        raise ServeError(
            f"Worker {worker.number} must stay until it is told to end. Received: its end as it started; see above."
        ) from error


async def _loaded(worker: Worker, name: str, number: int, path: Path) -> None:
    try:
        await worker.load(name, number, path)
    except Gone as error:
        raise ServeError(
            f"{path} must not take down the process that loads it. Received: worker {worker.number}, "
            "which has ended; the log tells how."
        ) from error


async def _all_of(calls: Sequence[Awaitable[Any]]) -> None:
    """Waits for all of them, then raises what the first of them that failed did."""
    for error in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(error, BaseException):
            raise error
