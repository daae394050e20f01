"""Plans on copies in memory: wherever a rollout is left, its plan comes to an end and everything is in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.serving.errors import DeployError
from roadworthy.serving.rollout.actions import Check
from roadworthy.serving.rollout.forecast import Copy, forecast
from roadworthy.serving.rollout.plan import Progress, deploying, promoting, rolling_back, to_take_back
from roadworthy.serving.rollout.ramp import Ramp
from roadworthy.serving.rollout.state import CHALLENGER, CHAMPION, PREVIOUS, REFUSED, Seen

RAMP = Ramp(grace_s=0)


def carry_out(copy, plan, *, actions=1000):
    """Does so many actions at most, every check passed."""
    passed = set()
    for _ in range(actions):
        action = plan(copy.look(), Progress(frozenset(passed), now_s=1000.0))
        if action is None:
            return
        if isinstance(action, Check):
            passed.add(action.percent)
        action.perform(copy)


def in_order(seen):
    """The champion, which has all traffic and nobody beside it."""
    champion = seen.holder(CHAMPION)
    assert seen.holder(CHALLENGER) is None
    assert [(one.version, one.percent) for one in seen.deployed] == [(champion.number, 100)]
    return champion.number


def deployed(*digests):
    """A copy on which each was deployed in turn."""
    copy = Copy(Seen(), digest="")
    for digest in digests:
        copy._digest = digest
        carry_out(copy, deploying(digest, RAMP))
    return copy


@given(st.lists(st.integers(0, 16), max_size=4))
def test_left_after_any_action_the_same_plan_finishes(deaths):
    copy = deployed("a")
    copy._digest = "b"
    for actions in deaths:
        carry_out(copy, deploying("b", RAMP), actions=actions)
    carry_out(copy, deploying("b", RAMP))
    assert in_order(copy.look()) == 2


@given(st.integers(2, 9), st.lists(st.integers(0, 5), max_size=3))
def test_a_version_refused_anywhere_leaves_the_champion(refused_after, deaths):
    copy = deployed("a", "b")
    copy._digest = "c"
    carry_out(copy, deploying("c", RAMP), actions=refused_after)
    copy.label(3, REFUSED, "agreement")
    for actions in deaths:
        try:
            carry_out(copy, deploying("c", RAMP), actions=actions)
        except DeployError:
            break
    with pytest.raises(DeployError, match="taken back"):
        carry_out(copy, deploying("c", RAMP))
    assert in_order(copy.look()) == 2


@given(st.integers(0, 8))
def test_a_rollback_left_after_any_action_is_finished_by_the_next(actions):
    copy = deployed("a", "b")
    carry_out(copy, rolling_back(to_take_back(copy.look())), actions=actions)
    is_done = copy.look().holder(PREVIOUS) is None and len(copy.look().deployed) == 1
    if not is_done:
        carry_out(copy, rolling_back(to_take_back(copy.look())))
    assert in_order(copy.look()) == 1


def test_a_forecast_lists_what_would_be_done():
    told = [str(action) for action in forecast(Seen(), deploying("a", RAMP), digest="a")]
    assert told[0] == "uploading the model as a version"
    assert "traffic: version 1 100%" in told
    assert told[-1] == "version 1: +champion -challenger"


def test_without_a_challenger_there_is_nothing_to_promote():
    with pytest.raises(DeployError, match="must be a challenger"):
        forecast(Seen(), promoting(RAMP))


@pytest.mark.parametrize("steps", [(), (5, 25), (0, 100), (50, 25, 100), (5, 5, 100), (50, 100, 200)])
def test_steps_rise_to_all(steps):
    with pytest.raises(ValueError, match="must rise from at least 1 to 100"):
        Ramp(steps=steps)
