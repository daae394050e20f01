import asyncio
import threading
import time

import pytest

from roadworthy.serving.server.burst import one_step
from roadworthy.serving.server.work import Pace, Work
from roadworthy.serving.status import RequestError

QUICK_LIMIT_S = 0.001
QUICK_S, SLOW_S = 0.0001, 0.01


@pytest.fixture
def work():
    made = Work(threads=2, max_requests=3)
    yield made
    made.close()


def trained(*seconds):
    pace = Pace()
    for taken in seconds:
        pace.measured_in_thread(taken, 0.0)
    return pace


def test_quick_work_moves_to_the_loop_once_it_was_measured():
    assert not trained(*[QUICK_S] * 7).on_loop
    assert trained(*[QUICK_S] * 8).on_loop


def test_slow_work_stays_in_threads():
    assert not trained(*[SLOW_S] * 100).on_loop


def on_loop_after(*seconds):
    pace = trained(*[QUICK_S] * 8)
    for taken in seconds:
        pace.measured_on_loop(taken, 0.0)
    return pace.on_loop


def test_quick_work_that_waits_for_a_core_now_and_then_stays():
    assert on_loop_after(*[SLOW_S, QUICK_S, QUICK_S] * 50)


def test_slow_work_leaves_the_loop_soon():
    assert not on_loop_after(*[SLOW_S] * 10)
    assert not on_loop_after(*[2 * QUICK_LIMIT_S] * 12)


def test_one_that_holds_the_loop_up_sends_those_like_it_away():
    assert not on_loop_after(*[QUICK_S] * 50, 0.1)


def test_what_was_too_slow_on_the_loop_is_tried_again_later_and_later():
    pace, pauses = trained(*[QUICK_S] * 8), []
    for _ in range(8):
        now = pace.not_before
        for _ in range(8):
            pace.measured_in_thread(QUICK_S, now)
        while pace.on_loop:
            pace.measured_on_loop(SLOW_S, now)
        pauses.append(pace.not_before - now)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_quick_work_is_done_where_it_is_asked_for(work):
    async def threads_of(do):
        answers = []
        for _ in range(12):
            answers.append(await work.run("kind", one_step(do)))
        return answers

    names = asyncio.run(threads_of(threading.get_ident))
    assert names[-1] == threading.get_ident() != names[0]


def test_too_many_requests_are_refused_and_the_others_answered(work):
    release = threading.Event()

    async def overload():
        held = [asyncio.create_task(work.run(None, one_step(release.wait))) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(RequestError, match="more than 3 requests") as refused:
            await work.run(None, one_step(release.wait))
        release.set()
        return refused.value.code, await asyncio.gather(*held)

    assert asyncio.run(overload()) == ("RESOURCE_EXHAUSTED", [True] * 3)


def test_what_nobody_waits_for_any_more_is_not_begun(work):
    release, begun = threading.Event(), []

    async def give_up():
        held = [asyncio.create_task(work.run(None, one_step(release.wait))) for _ in range(2)]
        await asyncio.sleep(0)
        work.begin(None, one_step(lambda: begun.append(1)), lambda *told: begun.append(told))()
        release.set()
        await asyncio.gather(*held)
        while work._under_way:
            await asyncio.sleep(0.001)

    asyncio.run(asyncio.wait_for(give_up(), 20))
    assert begun == []


def test_a_failure_is_passed_on(work):
    def fail():
        raise KeyError("x")

    async def ask():
        await work.run("kind", one_step(fail))

    with pytest.raises(KeyError):
        asyncio.run(ask())


def test_kinds_that_clients_make_up_are_bounded(work):
    async def ask():
        for number in range(1100):
            await work.run(number, one_step(time.time))

    asyncio.run(ask())
    assert len(work._paces) <= 1024


def in_thread(work, model):
    async def ask():
        return await work.run(None, one_step(lambda: threading.current_thread().name), model=model)

    return asyncio.run(asyncio.wait_for(ask(), 20))


def test_a_model_that_works_on_few_requests_waits_for_no_other():
    limits = {"small": 1}
    work, release = Work(threads=1, at_once=limits.get), threading.Event()

    async def beside_a_slow_one():
        slow = asyncio.create_task(work.run(None, one_step(release.wait), model="slow"))
        await asyncio.sleep(0)
        quick = await work.run(None, one_step(lambda: "quick"), model="small")
        release.set()
        return quick, await slow

    try:
        assert asyncio.run(asyncio.wait_for(beside_a_slow_one(), 20)) == ("quick", True)
    finally:
        release.set()
        work.close()


def test_threads_end_with_their_model():
    limits = {"first": 1}
    work = Work(threads=1, at_once=limits.get)
    assert in_thread(work, "first").startswith("work-first")

    del limits["first"]
    limits["second"] = 1
    assert in_thread(work, "second").startswith("work-second")
    assert in_thread(work, "first").startswith("work_")
    deadline = time.monotonic() + 20
    while any(thread.name.startswith("work-first") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    work.close()
