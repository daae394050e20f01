"""Where a share of right answers lies with 95% confidence, by bootstrap over the examples.

To draw n examples anew and count the right ones is to draw a binomial, and to do so for two models on the same
examples, a multinomial over who was right: no example has to be touched, so the cost does not grow with the data.

Reference: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13 (the percentile interval).
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from roadworthy.models.measure.results import Interval

DRAWS: Final = 10_000
# Fixed: the same answers give the same interval.
_SEED: Final = 20_111
_PERCENTILES: Final = (2.5, 97.5)


def share_interval(right: int, examples: int) -> Interval:
    """The interval of `right / examples`.

    Args:
        right: answers that were right.
        examples: all of them, at least 1.
    """
    draws = np.random.default_rng(_SEED).binomial(examples, right / examples, size=DRAWS)
    return _interval(draws / examples)


def drop_interval(reference_right: npt.NDArray[np.bool_], right: npt.NDArray[np.bool_]) -> Interval:
    """The interval of how much smaller one share of right answers is than another on the same examples.

    Args:
        reference_right: bool[examples], whether the reference was right.
        right: bool[examples], whether the model in question was; at least one example.
    """
    examples = len(right)
    lost, won = np.count_nonzero(reference_right & ~right), np.count_nonzero(~reference_right & right)
    shares = [lost / examples, won / examples, (examples - lost - won) / examples]
    draws = np.random.default_rng(_SEED).multinomial(examples, shares, size=DRAWS)
    return _interval((draws[:, 0] - draws[:, 1]) / examples)


def _interval(values: npt.NDArray[np.float64]) -> Interval:
    low, high = (float(value) for value in np.percentile(values, _PERCENTILES))
    return Interval(low=low, high=high)
