import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.pipeline.runners.containers.conditions import holds

BLESSED = {"blessing": {"artifacts": [{"uri": "/b/1", "metadata": {"blessed": 1.0, "by": "gate && all"}}]}}
PROPERTY = "inputs.artifacts['blessing'].artifacts[0].metadata['blessed']"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (f"({PROPERTY} == 1.0)", True),
        (f"!(({PROPERTY} == 1.0))", False),
        (f"({PROPERTY} < 1.0)", False),
        (f"(({PROPERTY} > 0.0) && (inputs.artifacts['blessing'].artifacts[0].uri == '/b/1'))", True),
        (f"(({PROPERTY} == 0.0) || (inputs.artifacts['blessing'].artifacts[0].metadata['by'] == 'gate && all'))", True),
    ],
)
def test_what_tfx_writes_is_understood(condition, expected):
    assert holds(condition, BLESSED) is expected


@pytest.mark.parametrize("condition", ["__import__('os')", "open('x')", "inputs.artifacts +", "[1 for x in 'ab']", "a"])
def test_nothing_else_is_run(condition):
    with pytest.raises(ValueError, match="TFX's kind"):
        holds(condition, BLESSED)


def test_an_artifact_that_is_not_there_is_an_error():
    with pytest.raises(LookupError):
        holds("(inputs.artifacts['model'].artifacts[0].uri == 'x')", BLESSED)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_numbers_compare_as_numbers(one, other):
    assert holds(f"({one!r} < {other!r})", {}) is (one < other)
