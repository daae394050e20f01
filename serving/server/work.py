"""Where requests are worked on: cheap ones on the event loop, all others in threads, and never too many.

Most threads only wait, for a batch to fill or for a session. A model that works on a few requests at a time has as
many threads of its own: more would wake one another for nothing, and a slow model's would keep those of others busy.

To hand a small request to another thread and back costs several times what the request itself does. What the loop
does keeps every other request waiting, though, so only what was measured to be quick is done there, and only while it
stays so.
"""

import asyncio
import functools
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

from roadworthy.serving.server.burst import Answer, Burst, Member, Steps, Tell, finish
from roadworthy.serving.status import RequestError

# Threads mostly wait: for a batch to fill, or for their turn with an interpreter.
THREADS: Final = 64
# Requests beyond these are refused rather than piled up in memory.
MAX_REQUESTS: Final = 128
# A kind of request is tried on the loop once the quickest of so many in threads took less than the limit: the quickest,
# since in threads they wait for each other.
_TRIALS: Final = 8
_QUICK_S: Final = 0.001
# On the loop the last sixteen or so count, the newest most: most must be quick, and their average bearable. On a
# busy machine many a quick one waits for a core for some milliseconds, which it would in a thread as well. (The
# thread's own processor time would tell, but asking for it costs more than a quick request.)
_WEIGHT: Final = 1 / 16
_MOST: Final = 0.5
_BEARABLE_S: Final = 0.004
# Found too slow there, it is not tried again for so long, twice as long each time.
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
# Kinds are named by clients, so there must be an end to them.
_MAX_KINDS: Final = 1024

Kind = Hashable
# Gives a request up.
Stop = Callable[[], None]


@dataclass(slots=True)
class Pace:
    """How quick one kind of request is, and so where it is worked on.

    Attributes:
        on_loop: whether the event loop may do it.
        seconds: moving average on the loop; in threads, the quickest since it was last decided.
        late: share of those on the loop that were not quick, a moving average.
        trials: how many were measured in threads since.
        pause_s: how long it stays in threads after it was found too slow on the loop.
        not_before: when it may be tried on the loop again, seconds of `perf_counter`.
    """

    on_loop: bool = False
    seconds: float = float("inf")
    late: float = 0.0
    trials: int = 0
    pause_s: float = _FIRST_PAUSE_S
    not_before: float = 0.0

    def measured_on_loop(self, seconds: float, now: float) -> None:
        """Takes a measurement in; too many slow ones, or a very slow one, send the kind to the threads."""
        self.seconds += (seconds - self.seconds) * _WEIGHT
        self.late += ((seconds > _QUICK_S) - self.late) * _WEIGHT
        if self.seconds > _BEARABLE_S or self.late > _MOST:
            self.on_loop, self.seconds, self.late, self.trials = False, float("inf"), 0.0, 0
            self.not_before = now + self.pause_s
            self.pause_s = min(2 * self.pause_s, _LONGEST_PAUSE_S)

    def measured_in_thread(self, seconds: float, now: float) -> None:
        """Takes a measurement in; enough of them with a quick one among them let the loop try."""
        if self.on_loop or now < self.not_before:
            return
        self.seconds = min(self.seconds, seconds)
        self.trials += 1
        if self.trials >= _TRIALS:
            self.on_loop, self.trials = self.seconds < _QUICK_S, 0
            if not self.on_loop:
                self.seconds = float("inf")


class Work:
    """Works on requests; belongs to the event loop's thread."""

    def __init__(
        self,
        *,
        threads: int = THREADS,
        max_requests: int = MAX_REQUESTS,
        quick_on_loop: bool = True,
        at_once: Callable[[str], int | None] = lambda model: None,
    ) -> None:
        """Starts no thread yet.

        Args:
            threads: most requests worked on at a time in threads.
            max_requests: most requests in threads or waiting for one.
            quick_on_loop: False where requests wait for one another, as in batches: the loop would wait with them.
            at_once: how many requests a model works on at a time; None is as many as there are threads for.
        """
        self._quick_on_loop = quick_on_loop
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="work")
        self._own_threads: dict[str, ThreadPoolExecutor] = {}
        self._at_once = at_once
        self._max_requests = max_requests
        self._paces: dict[Kind | None, Pace] = {}
        self._burst = Burst()
        self._under_way = 0

    def is_quick(self, kind: Kind | None) -> bool:
        """Whether requests of a kind are worked on by the event loop, in its next turn."""
        pace = self._paces.get(kind)
        return pace is not None and pace.on_loop

    def begin(self, kind: Kind | None, steps: Steps[Answer], tell: Tell[Answer], *, model: str = "") -> Stop:
        """Has a request worked on.

        Args:
            kind: requests of one kind cost about the same, such as those of one size for one model; None is never
                quick.
            steps: the work.
            tell: told the answer, or what the work raises, on the event loop and not before this returns.
            model: the model it is for.

        Returns:
            What gives the request up: what has not begun is dropped, and nobody is told any more.

        Raises:
            RequestError: RESOURCE_EXHAUSTED, too many requests are under way.
        """
        pace = self._paces.get(kind)
        if pace is None or not pace.on_loop:
            return self._in_thread(kind, steps, tell, self._threads_of(model))
        member = Member(steps, tell, pace.measured_on_loop)
        self._burst.add(member)
        return member.stop

    async def run(self, kind: Kind | None, steps: Steps[Answer], *, model: str = "") -> Answer:
        """Works on a request; see `begin`."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        stop = self.begin(kind, steps, functools.partial(_settle, answer), model=model)
        try:
            return await answer
        finally:
            stop()

    def hurry(self) -> None:
        """Answers what is quick and has come now, not in the next turn of the loop."""
        self._burst.work_off()

    def close(self) -> None:
        """Waits for the work that has begun; what has not is dropped."""
        for threads in (self._threads, *self._own_threads.values()):
            threads.shutdown(cancel_futures=True)

    def _threads_of(self, model: str) -> ThreadPoolExecutor:
        limit = self._at_once(model)
        if limit is None:
            return self._threads
        if model not in self._own_threads:
            self._forget_models()
            self._own_threads[model] = ThreadPoolExecutor(limit, thread_name_prefix=f"work-{model}")
        return self._own_threads[model]

    def _forget_models(self) -> None:
        """Ends the threads of models that are gone, once they have done what they were given."""
        for model in [model for model in self._own_threads if self._at_once(model) is None]:
            self._own_threads.pop(model).shutdown(wait=False)

    def _in_thread(
        self, kind: Kind | None, steps: Steps[Answer], tell: Tell[Answer], threads: ThreadPoolExecutor
    ) -> Stop:
        if self._under_way >= self._max_requests:
            raise RequestError(
                f"The server must not have more than {self._max_requests} requests under way. Received: one more. "
                "Try again later.",
                code="RESOURCE_EXHAUSTED",
            )
        self._under_way += 1
        loop = asyncio.get_running_loop()
        doing = threads.submit(_timed, steps)
        # What waits for a thread is dropped with its request; what has one goes on, and counts until it is done.
        wanted = _Wanted(tell, doing)
        doing.add_done_callback(lambda done: loop.call_soon_threadsafe(self._over, kind, done, wanted))
        return wanted.stop

    def _over(self, kind: Kind | None, done: "Future[tuple[Any, float]]", wanted: "_Wanted") -> None:
        self._under_way -= 1
        if done.cancelled():
            return
        error = done.exception()
        answer, seconds = (None, 0.0) if error is not None else done.result()
        if error is None and kind is not None and self._quick_on_loop:
            self._pace(kind).measured_in_thread(seconds, perf_counter())
        wanted.tell(answer, error)

    def _pace(self, kind: Kind) -> Pace:
        if kind not in self._paces:
            if len(self._paces) >= _MAX_KINDS:
                self._paces.clear()
            self._paces[kind] = Pace()
        return self._paces[kind]


class _Wanted:
    """A request that is worked on in a thread, as long as its answer is wanted."""

    def __init__(self, tell: Tell[Any], doing: "Future[Any]") -> None:
        self._tell: Tell[Any] | None = tell
        self._doing = doing

    def tell(self, answer: Any, error: BaseException | None) -> None:
        if self._tell is not None:
            self._tell(answer, error)

    def stop(self) -> None:
        self._tell = None
        self._doing.cancel()


def _settle(future: "asyncio.Future[Any]", answer: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(answer)
    else:
        future.set_exception(error)


def _timed(steps: Steps[Answer]) -> tuple[Answer, float]:
    started = perf_counter()
    answer = finish(steps)
    return answer, perf_counter() - started


def size_class(size_bytes: int) -> int:
    """Requests of one class differ in length by less than twice."""
    return size_bytes.bit_length()
