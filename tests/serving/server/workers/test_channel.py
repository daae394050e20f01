import asyncio
import contextlib
import socket

import pytest

from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.workers.channel import Channel, Gone
from roadworthy.serving.status import RequestError


@contextlib.asynccontextmanager
async def channels(**answers):
    """Two ends; the second answers."""
    ends = [Channel(pair, of) for pair, of in zip(socket.socketpair(), ({}, answers), strict=True)]
    for end in ends:
        await end.open()
    running = [asyncio.create_task(end.run()) for end in ends]
    try:
        yield ends[0], running[1].cancel
    finally:
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def echo(**given):
    return given


async def refuse(*, code):
    raise ServeError("a folder") if code is None else RequestError("a request", code=code)


async def break_down():
    raise ZeroDivisionError("of nobody's making")


async def sleep(*, seconds):
    await asyncio.sleep(seconds)
    return seconds


def test_what_is_given_comes_back_however_much_it_is():
    async def calls():
        async with channels(echo=echo) as (caller, _):
            return await caller.call("echo", name="a" * 1_000_000, number=2**62, nothing=None, some=[1.5, "ä\n"])

    assert asyncio.run(calls()) == {"name": "a" * 1_000_000, "number": 2**62, "nothing": None, "some": [1.5, "ä\n"]}


def test_calls_do_not_wait_for_one_another():
    async def calls():
        async with channels(sleep=sleep) as (caller, _):
            slow = asyncio.create_task(caller.call("sleep", seconds=30))
            quick = await asyncio.gather(*(caller.call("sleep", seconds=0.001 * number) for number in range(5)))
            assert not slow.done()
            slow.cancel()
            return quick

    assert asyncio.run(calls()) == [0, 0.001, 0.002, 0.003, 0.004]


@pytest.mark.parametrize(
    ("call", "given", "kind", "text"),
    [
        ("refuse", {"code": None}, ServeError, "a folder"),
        ("refuse", {"code": "NOT_FOUND"}, RequestError, "a request"),
        ("break_down", {}, ServeError, "of nobody's making"),
    ],
)
def test_what_is_raised_there_is_raised_here(call, given, kind, text):
    async def calls():
        async with channels(refuse=refuse, break_down=break_down) as (caller, _):
            await caller.call(call, **given)

    with pytest.raises(kind, match=text) as raised:
        asyncio.run(calls())
    assert getattr(raised.value, "code", None) == given.get("code")


def test_who_waits_for_a_process_that_ends_is_told_and_so_is_who_asks_it_later():
    async def calls():
        async with channels(sleep=sleep) as (caller, end):
            asked = asyncio.create_task(caller.call("sleep", seconds=30))
            await asyncio.sleep(0.01)
            end()
            with pytest.raises(Gone):
                await asked
            with pytest.raises(Gone):
                await caller.call("sleep", seconds=0)
            caller.tell("sleep", seconds=0)

    asyncio.run(calls())
