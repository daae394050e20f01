import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.pipeline.report.axis import linear_axis, log_axis

VALUES = st.lists(st.floats(1e-3, 1e9), min_size=1, max_size=9)


@given(VALUES)
def test_costs_lie_in_order_within_the_chart_and_ticks_are_few(values):
    axis = log_axis(values, start=60, stop=540)
    assert all(60 <= axis.at(value) <= 540 for value in values)
    assert [axis.at(value) for value in sorted(values)] == sorted(axis.at(value) for value in values)
    check_ticks(axis.ticks(), axis)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_accuracies_lie_within_the_chart_upside_down_and_ticks_are_few(values):
    axis = linear_axis(values, start=280, stop=30, least=0.002)
    assert all(30 <= axis.at(value) <= 280 for value in values)
    check_ticks(axis.ticks(), axis)


def check_ticks(ticks, axis):
    assert 2 <= len(ticks) <= 8
    assert ticks == sorted(set(ticks))
    assert all(axis.low <= tick <= axis.high for tick in ticks)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [([90, 900], [100, 200, 500, 1000]), ([1, 1e4], [1, 10, 100, 1000, 10000]), ([6, 7], [6, 7, 8])],
    ids=["one decade", "four", "between two round ones"],
)
def test_ticks_are_round(values, ticks):
    assert log_axis(values, start=0, stop=1).ticks() == pytest.approx(ticks)


def test_a_logarithmic_axis_puts_equal_ratios_equally_far_apart():
    axis = log_axis([1, 100], start=0, stop=100)
    assert axis.at(10) - axis.at(1) == pytest.approx(axis.at(100) - axis.at(10))
