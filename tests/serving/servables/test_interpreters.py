import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from roadworthy.serving.contract import LITERT_FILE
from roadworthy.serving.servables.interpreters import InterpreterPool


@pytest.fixture
def pool(exported):
    opened = InterpreterPool(exported["int8"] / LITERT_FILE, at_once=2)
    yield opened
    opened.close()


def test_as_many_are_in_use_at_once_as_there_is_room_for_and_each_by_one_thread(pool):
    in_use, most, lock, both = set(), [], threading.Lock(), threading.Barrier(2)

    def work(index, _):
        with pool.use() as interpreter:
            with lock:
                assert id(interpreter) not in in_use
                in_use.add(id(interpreter))
                most.append(len(in_use))
            if index < 2:
                both.wait(timeout=20)
            interpreter.invoke()
            with lock:
                in_use.remove(id(interpreter))
        return index

    assert pool.map(work, list(range(20))) == list(range(20))
    assert max(most) == 2


def test_requests_that_come_one_after_the_other_share_one_interpreter(pool):
    seen = set()
    for _ in range(5):
        with pool.use() as interpreter:
            seen.add(id(interpreter))
    assert len(seen) == 1


def test_one_in_which_a_run_failed_is_not_used_again(pool):
    with pytest.raises(RuntimeError), pool.use() as broken:
        raise RuntimeError
    with pool.use() as interpreter:
        assert interpreter is not broken


def test_the_room_of_one_that_failed_is_free_again(pool):
    for _ in range(5):
        with pytest.raises(ValueError, match="no"), pool.use():
            raise ValueError("no")
    with pool.use(), pool.use():
        pass


def test_the_first_error_of_several_is_raised(pool):
    def work(index, item):
        with pool.use():
            return 1 / item

    with pytest.raises(ZeroDivisionError):
        pool.map(work, [1, 0, 2, 0])
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(lambda item: pool.map(work, [item, item]), [1, 2])) == [[1, 1], [0.5, 0.5]]


class Runner:
    """An interpreter whose every run takes as long as its number of threads says."""

    def __init__(self, seconds):
        self.seconds = seconds

    def get_input_details(self):
        return []

    def invoke(self):
        time.sleep(self.seconds)


@pytest.mark.parametrize(
    ("seconds", "chosen"), [({4: 0.0001, 1: 0.001}, 4), ({4: 0.001, 1: 0.0001}, 1), ({4: 0.005, 1: 0.0001}, 4)]
)
def test_a_small_network_has_as_many_threads_as_make_it_quick(exported, monkeypatch, seconds, chosen):
    monkeypatch.setattr(InterpreterPool, "_make", lambda pool, threads: Runner(seconds[threads]))
    pool = InterpreterPool(exported["int8"] / LITERT_FILE, threads=4)

    with pool.use() as alone:
        assert alone.seconds == seconds[chosen]
