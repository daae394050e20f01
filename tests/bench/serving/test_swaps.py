"""Which answers the benchmark of version swaps calls wrong."""

import pytest

from bench.serving.steady import OK, Outcome
from bench.serving.swaps import History, is_wrong

# Version 2 is put in place ten seconds after version 1, and is seen to serve two seconds later.
HISTORY = History(placed={1: 0.0, 2: 10.0}, served={1: 0.0, 2: 12.0})


def answer(version: int, *, due: float, seconds: float = 0.1) -> Outcome:
    body = f'{{"predictions": [{{"y": [1.0], "version": {version}.0}}]}}'
    return Outcome("REST", due, seconds, OK, body.encode())


@pytest.mark.parametrize(
    "outcome",
    [answer(1, due=5), answer(1, due=11), answer(2, due=11), answer(2, due=9.95), answer(2, due=13)],
    ids=["quiet", "old while the new one loads", "new before it was seen", "new by the time of the answer", "new"],
)
def test_answers_of_versions_that_served_are_right(outcome):
    assert not is_wrong(outcome, HISTORY)


@pytest.mark.parametrize(
    "outcome", [answer(2, due=5), answer(1, due=13), answer(3, due=13)], ids=["too early", "replaced", "unknown"]
)
def test_answers_of_versions_that_did_not_serve_are_wrong(outcome):
    assert is_wrong(outcome, HISTORY)
