import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.serving.client import InvalidOption
from roadworthy.serving.client.split import Split


@given(st.one_of(st.text(), st.binary()), st.floats(0, 100), st.floats(0, 100))
def test_a_key_that_has_the_canary_keeps_it_as_the_share_rises(key, one, other):
    low, high = sorted((one, other))
    assert (Split(low).label(key), Split(high).label(key)) != ("canary", "stable")


@given(st.text())
def test_nobody_has_it_at_none_and_everybody_at_all(key):
    assert (Split(0).label(key), Split(100).label(key)) == ("stable", "canary")


@pytest.mark.parametrize("percent", [-1, 100.1, float("nan")])
def test_a_share_that_is_none_is_refused(percent):
    with pytest.raises(InvalidOption, match="canary_percent"):
        Split(percent)


def test_a_model_without_a_rollout_is_stable(tmp_path):
    assert Split.read(tmp_path).label("anyone") == "stable"
