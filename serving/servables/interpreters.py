"""LiteRT interpreters of one model, so that as many requests run at once as there are cores."""

import contextlib
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from roadworthy.serving.contract import is_litert
from roadworthy.serving.cores import available_cores
from roadworthy.serving.errors import ServeError
from roadworthy.serving.servables.litert_trial import run_on_zeros

# A network that takes longer gains from threads, and a few runs of it would delay the start.
_SMALL_S: Final = 0.002
_TRIALS: Final = 7

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class InterpreterPool:
    """Interpreters that one thread at a time may run each, made when they are first needed.

    A request that is alone gets an interpreter with a thread for every core, which answers soonest; of a small network,
    whose threads would mostly wait for each other, with one. Those that come at the same time get interpreters with one
    thread each, which together answer most. All read the weights from the one copy of the file; what the kernels make
    of them is each interpreter's own.
    """

    def __init__(self, path: Path, *, threads: int | None = None, at_once: int | None = None) -> None:
        """Makes the first interpreter, so that a broken model is known at once.

        Args:
            path: a `.tflite` file.
            threads: threads an interpreter may have; None is by how many requests there are.
            at_once: interpreters that may run at once, >= 1; None is the number of available cores, by `threads` each.

        Raises:
            ServeError: the file is missing, or is no LiteRT model that can be run here.
        """
        cores = available_cores()
        self._path = path
        # Read as a whole: a mapped file that is cut while it is served would kill the process.
        self._content = _read(path)
        first = self._make(threads or cores)
        self._alone_threads, quickest = self._quickest(first, threads or cores)
        self._threads = min(threads or 1, self._alone_threads)
        self.at_once = at_once or max(1, cores // (threads or 1))
        self._room = threading.Semaphore(self.at_once)
        self._lock = threading.Lock()
        self._in_use = 0
        self._idle: dict[int, list[Any]] = {self._alone_threads: [], self._threads: []}
        self._workers = ThreadPoolExecutor(self.at_once, thread_name_prefix="litert")
        self._idle[self._alone_threads].append(quickest)

    @contextlib.contextmanager
    def use(self) -> Iterator[Any]:
        """Holds an interpreter, waiting for one if need be; one in which a run fails is not used again."""
        with self._room:
            threads, interpreter = self._take()
            try:
                yield interpreter
            except (RuntimeError, ValueError):
                interpreter = None
                raise
            finally:
                with self._lock:
                    self._in_use -= 1
                    if interpreter is not None:
                        self._idle[threads].append(interpreter)

    def _take(self) -> tuple[int, Any]:
        with self._lock:
            threads = self._threads if self._in_use else self._alone_threads
            interpreter = self._idle[threads].pop() if self._idle[threads] else self._make(threads)
            self._in_use += 1
        return threads, interpreter

    def map(self, work: Callable[[int, _Item], _Result], items: Sequence[_Item]) -> list[_Result]:
        """Calls `work(index, item)` for each item, several at once; the first error is raised.

        A single item is worked on by the caller: to hand it over can take longer than the work itself.
        """
        if len(items) == 1:
            return [work(0, items[0])]
        return list(self._workers.map(work, range(len(items)), items))

    def close(self) -> None:
        """Frees the interpreters; none may be in use."""
        self._workers.shutdown()
        self._idle = {threads: [] for threads in self._idle}

    def _quickest(self, interpreter: Any, threads: int) -> tuple[int, Any]:
        """The number of threads, all that there may be or one, that runs the network sooner, and its interpreter."""
        # The first run of an interpreter still prepares its kernels.
        if threads == 1 or not _runs(interpreter) or _seconds(interpreter) > _SMALL_S:
            return threads, interpreter
        alone = self._make(1)
        _runs(alone)
        timed = [(_seconds(interpreter), _seconds(alone)) for _ in range(_TRIALS)]
        together_s, alone_s = map(statistics.median, zip(*timed, strict=True))
        return (1, alone) if alone_s < together_s else (threads, interpreter)

    def _make(self, threads: int) -> Any:
        """An interpreter of its own, ready to run.

        Raises:
            ServeError: LiteRT can't run the model.
        """
        from ai_edge_litert.interpreter import Interpreter

        try:
            interpreter = Interpreter(model_content=self._content, num_threads=threads)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise _unfit(self._path, error) from error
        return interpreter


def _runs(interpreter: Any) -> bool:
    """Whether the network runs on zeros; one that needs more is not timed."""
    try:
        run_on_zeros(interpreter)
    except (RuntimeError, ValueError):
        return False
    return True


def _seconds(interpreter: Any) -> float:
    started = time.perf_counter()
    interpreter.invoke()
    return time.perf_counter() - started


def _read(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unfit(path, error) from error
    if not is_litert(content):
        raise _unfit(path, "not a flatbuffer of LiteRT")
    return content


def _unfit(path: Path, why: object) -> ServeError:
    return ServeError(f"{path} must be a whole LiteRT model. Received: {why}.")
