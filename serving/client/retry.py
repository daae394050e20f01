"""When a request is sent again, and when a call gives up."""

import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

from roadworthy.serving.client.errors import AskError, InvalidOption, retryable
from roadworthy.serving.client.steps import OK, Exchange, Message, Reply, Send, Steps, T, Wait


@dataclass(frozen=True)
class Retry:
    """How often, and after which pauses, a request is sent again that met UNAVAILABLE or RESOURCE_EXHAUSTED.

    The pause before the n-th retry is drawn evenly from 0 to ``min(longest_s, first_s * 2 ** (n - 1))``: full jitter,
    so that the clients of a server that comes back don't all come back at once. A pause that would end after the call's
    deadline isn't begun. Other codes are never retried: whether the server did the work is not known, or it won't help.

    Attributes:
        attempts: how often a request is sent in all, >= 1; 1 is no retries.
        first_s: longest pause before the first retry, > 0.
        longest_s: longest pause before any, >= first_s.

    Raises:
        InvalidOption: a number out of its range.

    Reference: Brooker 2015, "Exponential Backoff And Jitter", AWS Architecture Blog.
    """

    attempts: int = 4
    first_s: float = 0.1
    longest_s: float = 2.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or not 0 < self.first_s <= self.longest_s:
            raise InvalidOption(
                f"A Retry must have attempts >= 1 and 0 < first_s <= longest_s. Received: {self}.",
                code="INVALID_ARGUMENT",
            )

    def pause_s(self, attempt: int, *, chance: float) -> float:
        """The pause after a failed attempt.

        Args:
            attempt: number of the attempt that failed, >= 1.
            chance: drawn evenly from [0, 1).
        """
        # Doubling a float a thousand times overflows; long before, the bound holds.
        return chance * min(self.longest_s, self.first_s * 2.0 ** min(attempt - 1, 64))


DEFAULT_RETRY: Final = Retry()


def persist(
    exchange: Exchange[T],
    *,
    retry: Retry,
    timeout_s: float,
    error: Callable[[Reply, int], AskError],
    clock: Callable[[], float] = time.monotonic,
    chance: Callable[[], float] = random.random,
) -> Steps[T]:
    """Carries an exchange through, within one deadline for all of it.

    Args:
        exchange: the messages of one call.
        retry: when to send one again.
        timeout_s: time for the whole call.
        error: makes the exception of the last reply and the number of attempts.
        clock: seconds that only grow.
        chance: draws evenly from [0, 1).

    Returns:
        What the exchange returns.
    """
    deadline = clock() + timeout_s

    def deliver(message: Message) -> Generator[Send | Wait, Reply | None, bytes]:
        attempt = 0
        while True:
            attempt += 1
            left_s = deadline - clock()
            reply = (yield Send(message, left_s)) if left_s > 0 else None
            reply = reply or Reply("DEADLINE_EXCEEDED", message=f"the call's {timeout_s:g} s are over")
            if reply.code == OK:
                return reply.body
            pause_s = retry.pause_s(attempt, chance=chance())
            if not retryable(reply.code) or attempt >= retry.attempts or clock() + pause_s >= deadline:
                raise error(reply, attempt)
            yield Wait(pause_s)

    try:
        message = next(exchange)
        while True:
            message = exchange.send((yield from deliver(message)))
    except StopIteration as done:
        value: T = done.value
        return value
