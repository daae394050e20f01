import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.pipeline.cron import check_cron
from roadworthy.serving.errors import ConfigError

RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


@pytest.mark.parametrize(
    ("cron", "platform"),
    [
        ("0 3 * * 1", "vertex"),
        ("*/15 0-6,22 1,15 JAN-mar Mon", "kubeflow"),
        ("TZ=Europe/Amsterdam 0 3 * * *", "vertex"),
        ("CRON_TZ=UTC 0 3 * * 0", "vertex"),
        ("30 0 3 * * 1", "kubeflow"),
    ],
)
def test_what_a_platform_takes_is_taken(cron, platform):
    assert check_cron(cron, platform) == cron


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("every monday", "must have five fields.*Received: 2"),
        ("", "Received: 0 in ''"),
        ("30 0 3 * * 1", "Received: 6"),
        ("61 3 * * 1", "The minute of a cron must be in 0 to 59. Received: 61"),
        ("0 3 0 * *", "The day of a cron must be in 1 to 31"),
        ("0 3 * 13 *", "The month of a cron must be in 1 to 12, or jan to dec"),
        ("0 3 * * 7", "The weekday of a cron must be in 0 to 6, or sun to sat"),
        ("0 5-3 * * *", "The hour of a cron .* Received: 5-3"),
        ("*/0 3 * * *", "Received: \\*/0"),
        ("0 3, * * *", "Received: 3,"),
        ("0 *-3 * * *", "Received: \\*-3"),
        ("0 \N{FULLWIDTH DIGIT THREE} * * *", "The hour"),
    ],
)
def test_what_is_no_cron_is_told_with_its_field(cron, said):
    with pytest.raises(ConfigError, match=said):
        check_cron(cron, "vertex")


@given(st.tuples(*(st.tuples(st.integers(0, 70), st.integers(0, 70)) for _ in RANGES)))
def test_ranges_are_taken_exactly_where_all_their_values_exist(pairs):
    cron = " ".join(f"{first}-{last}" for first, last in pairs)
    fits = all(low <= first <= last <= high for (first, last), (low, high) in zip(pairs, RANGES, strict=True))

    if fits:
        assert check_cron(cron, "vertex") == cron
    else:
        with pytest.raises(ConfigError, match=re.escape(cron)):
            check_cron(cron, "vertex")
