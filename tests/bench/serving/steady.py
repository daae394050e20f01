"""Requests at a steady rate, whether or not earlier ones are answered, and what became of each of them."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import grpc
import numpy as np

from bench.serving.connections import Connections
from bench.serving.servers import Target

_TIMEOUT_S: Final = 30.0
OK: Final = "OK"


@dataclass(frozen=True)
class Outcome:
    """What became of one request.

    Attributes:
        transport: REST or gRPC.
        due: `time.monotonic()` when it was to be sent; what delays the sending counts as waiting too.
        seconds: from then to the answer.
        code: OK; else gRPC's name of the code, or HTTP's number.
        answer: the body, or what was said of the error.
    """

    transport: str
    due: float
    seconds: float
    code: str
    answer: bytes

    @property
    def answered(self) -> float:
        """When the answer was there."""
        return self.due + self.seconds


Ask = Callable[[], Awaitable[tuple[str, bytes]]]


async def send_steadily(target: Target, ask: Ask, *, per_s: float, stop: asyncio.Event) -> list[Outcome]:
    """Sends until told to stop, then waits for the last answers."""
    begun = time.monotonic()
    tasks = []
    for number in itertools.count():
        due = begun + number / per_s
        if (wait := due - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        if stop.is_set():
            break
        tasks.append(asyncio.create_task(_outcome(target.transport, ask, due)))
    return list(await asyncio.gather(*tasks))


@asynccontextmanager
async def asking(targets: Sequence[Target]) -> AsyncIterator[list[Ask]]:
    """A way to ask each target, over connections that are kept."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(_WAYS[target.transport](target)) for target in targets]


def p99_ms(outcomes: Sequence[Outcome]) -> float:
    """Of those that were answered as they should be."""
    return float(np.percentile([outcome.seconds for outcome in outcomes if outcome.code == OK], 99)) * 1e3


async def _outcome(transport: str, ask: Ask, due: float) -> Outcome:
    code, answer = await ask()
    return Outcome(transport, due, time.monotonic() - due, code, answer)


@asynccontextmanager
async def _rest(target: Target) -> AsyncIterator[Ask]:
    connections = Connections(target.url, target.body)
    try:
        yield connections.ask
    finally:
        connections.close()


@asynccontextmanager
async def _grpc(target: Target) -> AsyncIterator[Ask]:
    address, method = target.url.removeprefix("http://").split("/", 1)
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_unary(f"/{method}")

        async def ask() -> tuple[str, bytes]:
            try:
                return OK, await call(target.body, timeout=_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                return error.code().name, (error.details() or "").encode()

        yield ask


_WAYS = {"REST": _rest, "gRPC": _grpc}
