import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from roadworthy.serving.json_tensors import (
    read_tensor,
    write_json,
    write_outputs,
    write_tensor,
)
from roadworthy.serving.json_values import parse_json
from roadworthy.serving.servables.base import TensorSpec
from roadworthy.serving.status import RequestError
from roadworthy.serving.tensors import DTYPES

SENDABLE = [dtype for name, dtype in DTYPES.items() if name != "string" and not name.startswith("complex")]


def spec(name="x", dtype="float32"):
    return TensorSpec(name, dtype, None)


def objects(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@settings(max_examples=200)
@given(
    st.sampled_from(SENDABLE).flatmap(
        lambda dtype: npst.arrays(dtype.numpy, npst.array_shapes(min_dims=0, max_dims=3, max_side=4))
    )
)
def test_numbers_come_back_from_json(array):
    text = write_json(write_tensor(array, "x"))
    np.testing.assert_array_equal(read_tensor(parse_json(text), spec(dtype=array.dtype.name)), array)


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=6), min_size=1, max_size=4), st.sampled_from(["x", "x_bytes"]))
def test_strings_come_back_from_json(values, name):
    text = write_json(write_tensor(objects(values), name))
    assert read_tensor(parse_json(text), spec(dtype="string")).tolist() == values


@settings(max_examples=200)
@given(npst.arrays(np.float32, npst.array_shapes(max_side=4), elements=st.floats(width=32)))
def test_float32_is_written_in_the_digits_numpy_prints(array):
    assert repr(write_tensor(array, "x")) == repr(array.astype(str).astype(float).tolist())


leaves = st.integers(-(2**65), 2**65) | st.floats() | st.booleans() | st.just("a")


@settings(max_examples=300)
@given(st.lists(leaves, min_size=1, max_size=3), st.sampled_from(["float16", "float32", "int8", "int64", "uint64"]))
def test_rows_of_numbers_are_read_as_each_number_alone(values, dtype):
    def read(value):
        try:
            return read_tensor(value, spec(dtype=dtype)).tolist()
        except RequestError as error:
            return str(error)

    alone = [read(value) for value in values]
    refused = [answer for answer in alone if isinstance(answer, str)]
    np.testing.assert_equal(read(values), refused[0] if refused else alone)


def test_floats_print_shortest_and_whole_ones_with_a_point():
    assert write_json(write_tensor(np.array([0.1, 1, 1e-7], np.float32), "x")) == b"[0.1,1.0,1e-7]"


def test_not_numbers_are_tokens_both_ways():
    text = b"[NaN,Infinity,-Infinity]"
    array = read_tensor(parse_json(text), spec())
    assert math.isnan(array[0])
    assert write_json(write_tensor(array, "x")) == text
    assert write_json(write_outputs({"x": array}, by_row=True)) == b'{"predictions":%b}' % text


def test_only_names_that_end_in_bytes_give_base64():
    assert write_tensor(objects([b"a"]), "label") == ["a"]
    assert write_tensor(objects([b"a"]), "label_bytes") == [{"b64": "YQ=="}]


@pytest.mark.parametrize(
    ("dtype", "value", "message"),
    [
        ("int8", 128, "JSON Value: 128 Type: Number is not of expected type: int8"),
        ("int32", 1.5, "JSON Value: 1.5 Type: Number is not of expected type: int32"),
        ("int32", True, "JSON Value: true Type: True is not of expected type: int32"),
        ("bool", 1, "JSON Value: 1 Type: Number is not of expected type: bool"),
        ("float32", "a", 'JSON Value: "a" Type: String is not of expected type: float'),
        ("float32", None, "JSON Value: null Type: Null is not of expected type: float"),
        ("float64", {"b64": "YQ=="}, "Type: Object is not of expected type: double"),
        ("float16", 1e5, "Cannot convert JSON value: 100000.0 to half without loss of precision."),
        ("float32", 1e39, r"Cannot convert JSON value: 1e\+39 to float without loss of precision."),
        ("float32", 16777217, "Cannot convert JSON value: 16777217 to float without loss of precision."),
        ("float64", 9007199254740993, "to double without loss of precision."),
        ("float32", 10**400, "to float without loss of precision."),
        ("string", 1, "JSON Value: 1 Type: Number is not of expected type: string"),
        ("string", {"b64": "a"}, "Unable to base64 decode"),
        ("string", {"b64": 1}, "JSON Value: {'b64': 1} not formatted correctly for base64 data"),
        ("complex64", 1, r"Conversion of JSON Value: \[1\] to type: complex64"),
    ],
)
def test_a_value_of_another_type_is_refused(dtype, value, message):
    with pytest.raises(RequestError, match=message):
        read_tensor([value], spec(dtype=dtype))


def test_the_largest_float_in_its_fewest_digits_is_taken():
    assert read_tensor([3.4028235e38], spec()) == np.finfo(np.float32).max


def test_complex_outputs_are_refused():
    with pytest.raises(RequestError, match="Failed to write JSON value for tensor type: complex64"):
        write_outputs({"x": np.zeros(1, np.complex64)}, by_row=True)


def test_too_many_dimensions_are_refused():
    with pytest.raises(RequestError, match="at most 32 dimensions"):
        read_tensor(json.loads("[" * 40 + "]" * 40), spec())


def test_one_output_has_no_name_and_several_have():
    a, b = np.array([1, 2]), np.array([3, 4])
    assert write_outputs({"a": a}, by_row=True) == {"predictions": [1, 2]}
    assert write_outputs({"a": a}, by_row=False) == {"outputs": [1, 2]}
    assert write_outputs({"a": a, "b": b}, by_row=True) == {"predictions": [{"a": 1, "b": 3}, {"a": 2, "b": 4}]}
    assert write_outputs({"a": a, "b": b}, by_row=False) == {"outputs": {"a": [1, 2], "b": [3, 4]}}


@pytest.mark.parametrize("other", [np.array([1, 2, 3]), np.array(1)])
def test_rows_of_outputs_that_differ_in_batch_size_are_refused(other):
    with pytest.raises(RequestError, match=r"Tensor name: b has (inconsistent batch size: 3 expecting: 2|no shape)"):
        write_outputs({"a": np.array([1, 2]), "b": other}, by_row=True)
