import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from roadworthy.components.gate.budgets import Budgets
from roadworthy.components.gate.limits import Limit, parse_latency, parse_quality, parse_size


@pytest.mark.parametrize(
    ("parse", "written", "limit"),
    [
        (parse_quality, 0.01, Limit(0.01, relative=False)),
        (parse_quality, "1%", Limit(0.01, relative=True)),
        (parse_quality, "0.5 %", Limit(0.005, relative=True)),
        (parse_quality, 0, Limit(0, relative=False)),
        (parse_size, 900_000, Limit(900_000, relative=False)),
        (parse_size, "4 MB", Limit(4e6, relative=False)),
        (parse_size, "4MiB", Limit(4 * 2**20, relative=False)),
        (parse_size, "30%", Limit(0.3, relative=True)),
        (parse_size, "250%", Limit(2.5, relative=True)),
        (parse_latency, "5 ms", Limit(5, relative=False)),
        (parse_latency, "800us", Limit(0.8, relative=False)),
        (parse_latency, "50%", Limit(0.5, relative=True)),
    ],
)
def test_what_people_write_is_understood(parse, written, limit):
    assert parse(written) == limit


@pytest.mark.parametrize(
    ("budget", "written", "said"),
    [
        ("max_quality_drop", "0.01", "must be a share such as 0.01, or a percentage such as 1%"),
        ("max_quality_drop", "150%", "at most 1, or 100%"),
        ("max_quality_drop", 5, "less than or equal to 1"),
        ("max_size", "4 apples", "one of the units b, kb, mb"),
        ("max_size", "0%", "above 0"),
        ("max_size", "30", "one of the units"),
        ("max_size", True, "valid integer"),
        ("max_size", "9" * 400 + " MB", "finite"),
        ("max_quality_drop", True, "valid number"),
        ("max_quality_drop", float("nan"), "finite"),
        ("max_latency_p95", "5", "one of the units us, ms, s, or %"),
        ("max_latency_p95", "-5 ms", "one of the units"),
        ("min_slice_quality", "much", "must be a share"),
    ],
)
def test_what_is_no_limit_is_refused(budget, written, said):
    with pytest.raises(ValidationError, match=said):
        Budgets.model_validate({budget: written})


@given(st.text(max_size=12))
def test_any_text_is_a_limit_or_a_value_error(text):
    for parse in (parse_quality, parse_size, parse_latency):
        with contextlib.suppress(ValueError):
            assert parse(text).value >= 0


@given(st.integers(1, 99_999), st.sampled_from(["B", "kB", "MB", "GiB"]))
def test_a_budget_is_kept_as_it_was_written(number, unit):
    budgets = Budgets(max_size=f"{number} {unit}")
    assert Budgets.model_validate_json(budgets.model_dump_json()).max_size == f"{number} {unit}"
