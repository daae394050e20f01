"""Work left behind by requests: in order, bounded, never waited for."""

import threading
import time

import pytest

from roadworthy.serving.server.background import Background


def test_items_are_handled_in_order_before_it_closes():
    handled = []
    background = Background(handled.extend, capacity=1000, name="test")
    for number in range(500):
        assert background.put(number)
    background.close()

    assert handled == list(range(500))
    assert background.dropped == 0


def test_a_full_queue_drops_and_counts_and_nobody_waits(caplog):
    blocked, handled = threading.Event(), []

    def handle(items):
        blocked.wait(10)
        handled.extend(items)

    background = Background(handle, capacity=10, name="slow one")
    background.put("first", weight=8)
    time.sleep(0.2)  # it is now in the hands of the handler, and still counts
    started = time.perf_counter()
    taken = [background.put("more", weight=2) for _ in range(1000)]
    assert time.perf_counter() - started < 1
    blocked.set()
    background.close()

    assert (taken.count(True), background.dropped) == (1, 999)
    assert handled == ["first", "more"]
    assert "slow one: 999 dropped" in caplog.text


def test_room_comes_back():
    handled = []
    background = Background(handled.extend, capacity=1, name="test")
    assert background.put(1)
    deadline = time.monotonic() + 10
    while not background.put(2):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    background.close()
    assert handled == [1, 2]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyError("x")])
def test_a_failure_is_logged_and_counted_and_the_next_items_are_handled(error, caplog):
    handled, failures = [], [error]

    def handle(items):
        if items and failures:
            raise failures.pop()
        handled.extend(items)

    background = Background(handle, capacity=10, name="test")
    background.put(1)
    deadline = time.monotonic() + 10
    while not background.dropped:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    background.put(2)
    background.close()

    assert (handled, background.dropped) == ([2], 1)
    assert "test: 1 lost" in caplog.text
