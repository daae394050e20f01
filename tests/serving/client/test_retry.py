import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.serving.client import AskError, DeadlineExceeded, InvalidOption, Overloaded, Retry, Unavailable
from roadworthy.serving.client.errors import error_of
from roadworthy.serving.client.retry import persist
from roadworthy.serving.client.steps import Message, Reply, Send, Wait


class World:
    """A clock that moves only by waiting and sending, and a server with a list of replies."""

    def __init__(self, *codes: str, send_s: float = 0.0, chance: float = 0.5) -> None:
        self.now, self.codes, self.send_s, self.chance = 0.0, list(codes), send_s, chance
        self.sent: list[Send] = []
        self.waits: list[float] = []

    def run(self, retry: Retry, *, timeout_s: float = 1000.0, messages: int = 1):
        def exchange():
            answers = []
            for number in range(messages):
                answers.append((yield Message(f"/{number}")))
            return answers

        def error(reply, attempts):
            return error_of(reply.code, reply.message, server="s:1", model="m", attempts=attempts)

        steps = persist(
            exchange(), retry=retry, timeout_s=timeout_s, error=error,
            clock=lambda: self.now, chance=lambda: self.chance,
        )  # fmt: skip
        reply = None
        try:
            while True:
                step = steps.send(reply)
                reply = self._wait(step) if isinstance(step, Wait) else self._send(step)
        except StopIteration as done:
            return done.value

    def _wait(self, step: Wait) -> None:
        self.waits.append(step.seconds)
        self.now += step.seconds

    def _send(self, step: Send) -> Reply:
        self.sent.append(step)
        self.now += self.send_s
        return Reply(self.codes.pop(0) if self.codes else "OK", b"fine", "no")


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_what_may_pass_is_sent_again_after_growing_pauses(code):
    world = World(code, code, code)

    assert world.run(Retry(attempts=4, first_s=0.1, longest_s=0.3)) == [b"fine"]
    assert world.waits == pytest.approx([0.05, 0.1, 0.15])


@pytest.mark.parametrize(
    "code",
    ["INVALID_ARGUMENT", "NOT_FOUND", "INTERNAL", "DEADLINE_EXCEEDED", "ABORTED", "UNKNOWN", "CANCELLED", "DATA_LOSS"],
)
def test_nothing_else_is_sent_again(code):
    world = World(code)

    with pytest.raises(AskError) as refused:
        world.run(Retry(attempts=9))

    assert (len(world.sent), refused.value.code, refused.value.retryable) == (1, code, False)


def test_after_the_last_attempt_the_error_says_how_many_there_were():
    with pytest.raises(Overloaded, match=r"asked 3 times") as refused:
        World(*["RESOURCE_EXHAUSTED"] * 9).run(Retry(attempts=3))

    assert refused.value.retryable


def test_a_pause_that_would_end_after_the_deadline_is_not_begun():
    world = World(*["UNAVAILABLE"] * 9, send_s=0.4, chance=0.9)

    with pytest.raises(Unavailable):
        world.run(Retry(attempts=9, first_s=0.1, longest_s=9), timeout_s=1.0)

    assert world.now < 1.0


def test_each_message_is_given_what_is_left_of_the_time():
    world = World(send_s=0.4)

    with pytest.raises(DeadlineExceeded, match="the call's 1 s are over"):
        world.run(Retry(), timeout_s=1.0, messages=9)

    assert [step.timeout_s for step in world.sent] == pytest.approx([1.0, 0.6, 0.2])


@given(
    attempt=st.integers(1, 5000),
    chance=st.floats(0, 1, exclude_max=True),
    first=st.floats(1e-3, 10),
    longest=st.floats(10, 100),
)
def test_a_pause_is_never_longer_than_allowed(attempt, chance, first, longest):
    pause = Retry(first_s=first, longest_s=longest).pause_s(attempt, chance=chance)

    assert 0 <= pause <= longest


@pytest.mark.parametrize("fields", [{"attempts": 0}, {"first_s": 0}, {"first_s": 3}, {"longest_s": float("nan")}])
def test_a_retry_out_of_range_is_refused(fields):
    with pytest.raises(InvalidOption, match="attempts >= 1 and 0 < first_s <= longest_s"):
        Retry(**fields)
