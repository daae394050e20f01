import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.models.measure.bootstrap import drop_interval, share_interval


def resampled(values: np.ndarray, *, draws: int = 4000) -> tuple[float, float]:
    """The plain bootstrap: examples drawn anew, with replacement, one by one."""
    rng = np.random.default_rng(3)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(draws)]
    return tuple(np.percentile(means, [2.5, 97.5]))


def test_the_interval_of_a_share_is_that_of_the_plain_bootstrap():
    right = np.arange(400) < 340
    interval = share_interval(340, 400)
    assert (interval.low, interval.high) == pytest.approx(resampled(right), abs=0.004)


def test_the_interval_of_a_drop_is_paired_by_example():
    rng = np.random.default_rng(0)
    reference = rng.random(400) < 0.9
    variant = np.where(rng.random(400) < 0.05, ~reference, reference)
    interval = drop_interval(reference, variant)
    paired = resampled(reference.astype(float) - variant.astype(float))
    assert (interval.low, interval.high) == pytest.approx(paired, abs=0.004)


def test_a_model_that_answers_alike_has_no_drop_whatever_its_accuracy():
    right = np.arange(100) < 60
    assert drop_interval(right, right) == drop_interval(~right, ~right)
    assert (drop_interval(right, right).low, drop_interval(right, right).high) == (0, 0)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_share_and_stays_one(counts):
    right, examples = counts
    interval = share_interval(right, examples)
    assert 0 <= interval.low <= right / examples <= interval.high <= 1


def test_more_examples_make_it_narrower_and_the_same_ones_the_same():
    wide, narrow = share_interval(90, 100), share_interval(9000, 10_000)
    assert narrow.high - narrow.low < (wide.high - wide.low) / 5
    assert share_interval(90, 100) == wide
