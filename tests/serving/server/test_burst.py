import asyncio

import pytest

from roadworthy.serving.server.burst import Burst, Member, finish, one_step


def member(name, done, *, steps=3, fails_at=None, measured=lambda *_: None):
    """A request that writes down its steps, and in the end what was told of it."""

    def work():
        for step in range(steps - 1):
            if step == fails_at:
                raise KeyError(name)
            done.append((name, step))
            yield
        done.append((name, steps - 1))
        return name

    return Member(work(), lambda *told: done.append(told), measured)


def after_a_turn(*members, before=lambda burst: None):
    async def work():
        burst = Burst()
        for one in members:
            burst.add(one)
        before(burst)
        await asyncio.sleep(0)

    asyncio.run(work())


def test_each_step_is_taken_of_all_before_the_next_of_any():
    done = []
    after_a_turn(member("a", done), member("b", done))
    assert done == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("a", None), ("b", 2), ("b", None)]


def test_one_that_fails_or_is_shorter_does_not_hold_up_the_others():
    done = []
    after_a_turn(member("a", done, fails_at=1), member("b", done), member("c", done, steps=1))
    assert done[:4] == [("a", 0), ("b", 0), ("c", 0), ("c", None)]
    assert repr(done[4]) == "(None, KeyError('a'))"
    assert done[5:] == [("b", 1), ("b", 2), ("b", None)]


def test_one_whose_answer_can_not_be_told_does_not_keep_the_others_from_theirs(caplog):
    done = []
    after_a_turn(Member(one_step(lambda: 1), lambda *_: 1 / 0, lambda *_: None), member("b", done, steps=1))
    assert done == [("b", 0), ("b", None)]
    assert "an answer can't be told" in caplog.text


def test_what_is_given_up_is_neither_worked_on_nor_told():
    done = []
    given_up = member("a", done)
    after_a_turn(given_up, member("b", done, steps=1), before=lambda _: given_up.stop())
    assert done == [("b", 0), ("b", None)]


def test_what_is_given_up_half_way_lets_go_of_what_it_held():
    held = ["version"]

    def work():
        try:
            yield
        finally:
            held.clear()

    one = Member(work(), lambda *told: held.append(told), lambda *_: None)
    assert one.step()
    one.stop()
    assert (held, one.step()) == ([], False)


def test_what_hurries_is_answered_at_once_and_only_once():
    done = []
    after_a_turn(member("a", done, steps=1), before=lambda burst: (burst.work_off(), done.append("hurried")))
    assert done == [("a", 0), ("a", None), "hurried"]


def test_what_comes_while_others_are_answered_has_its_turn():
    done = []

    async def work():
        burst = Burst()
        burst.add(Member(one_step(lambda: 1), lambda *_: burst.add(member("b", done, steps=1)), lambda *_: None))
        await asyncio.sleep(0)
        assert done == []
        await asyncio.sleep(0)

    asyncio.run(work())
    assert done == [("b", 0), ("b", None)]


def test_the_time_of_a_request_is_that_of_its_own_steps():
    measured = []
    after_a_turn(*[member(name, [], measured=lambda *told: measured.append(told)) for name in "ab"])
    assert len(measured) == 2
    assert all(0 < seconds < 0.1 < now for seconds, now in measured)


def test_steps_are_taken_at_one_go_in_a_thread():
    def work():
        yield
        yield
        return 3

    assert finish(work()) == 3
    with pytest.raises(ZeroDivisionError):
        finish(one_step(lambda: 1 / 0))
