import numpy as np
import pytest

from roadworthy.serving.client import InvalidRequest
from roadworthy.serving.client.tensors import as_features, as_tensor


@pytest.mark.parametrize(
    ("value", "dtype", "shape"),
    [
        (1.5, np.float32, ()),
        ([1, 2], np.int32, (2,)),
        ([[1.0, 2.0]], np.float32, (1, 2)),
        ([2**40], np.int64, (1,)),
        ([True], np.bool_, (1,)),
        ([], np.float32, (0,)),
        (np.float64(2), np.float64, ()),
        ([np.float64(2)], np.float64, (1,)),
        (np.zeros((2, 0), np.int8), np.int8, (2, 0)),
        (np.array([1], ">i4"), ">i4", (1,)),
    ],
)
def test_numbers_get_tensorflows_usual_types(value, dtype, shape):
    array = as_tensor("x", value)

    assert (array.dtype, array.shape) == (dtype, shape)


@pytest.mark.parametrize(
    ("value", "strings"),
    [
        (b"ends\0", b"ends\0"),
        ([b"ends\0\0", b""], [b"ends\0\0", b""]),
        ("naïve", "naïve".encode()),
        ([["a"], ["b"]], [[b"a"], [b"b"]]),
        (np.array(["a", "bc"]), [b"a", b"bc"]),
        (np.array([b"a", "b"], dtype=object), [b"a", b"b"]),
    ],
)
def test_strings_lose_no_byte(value, strings):
    array = as_tensor("x", value)

    assert array.dtype == object
    assert array.tolist() == strings


@pytest.mark.parametrize(
    "value", [[[1], [1, 2]], [b"a", 1], [object()], {"a": 1}, None, [None], np.array(["2020-01-01"], "datetime64[D]")]
)
def test_what_is_no_tensor_is_an_invalid_request_that_names_the_input(value):
    with pytest.raises(InvalidRequest, match="input rooms: "):
        as_tensor("rooms", value)


def test_features_are_lists_of_bytes_ints_or_floats():
    features = as_features(
        {"a": 1, "b": [1.5, 2], "c": "x", "d": [b"y\0"], "e": np.array([[1], [2]]), "f": True, "g": []}
    )

    assert features == {"a": [1], "b": [1.5, 2.0], "c": [b"x"], "d": [b"y\0"], "e": [1, 2], "f": [1], "g": []}
    assert type(features["a"][0]) is int


@pytest.mark.parametrize("value", [None, {"a": 1}, 1j, [2**63], np.array([2**63], np.uint64), ["a", 1]])
def test_what_is_no_feature_is_an_invalid_request_that_names_it(value):
    with pytest.raises(InvalidRequest, match=r"(feature|input) age"):
        as_features({"age": value})
