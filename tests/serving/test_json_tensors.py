import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from roadworthy.serving.json_tensors import (
    parse_json,
    read_inputs,
    read_tensor,
    write_json,
    write_outputs,
    write_tensor,
)
from roadworthy.serving.servables.base import Signature, TensorSpec
from roadworthy.serving.status import RequestError
from roadworthy.serving.tensors import DTYPES

SENDABLE = [dtype for name, dtype in DTYPES.items() if name != "string" and not name.startswith("complex")]


def spec(name="x", dtype="float32"):
    return TensorSpec(name, dtype, None)


def signature(**dtypes):
    return Signature({name: spec(name, dtype) for name, dtype in dtypes.items()}, {})


def objects(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(SENDABLE).flatmap(
        lambda dtype: npst.arrays(dtype.numpy, npst.array_shapes(min_dims=0, max_dims=3, max_side=4))
    )
)
def test_numbers_come_back_from_json(array):
    text = write_json(write_tensor(array, "x"))
    np.testing.assert_array_equal(read_tensor(parse_json(text), spec(dtype=array.dtype.name)), array)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=6), min_size=1, max_size=4), st.sampled_from(["x", "x_bytes"]))
def test_strings_come_back_from_json(values, name):
    text = write_json(write_tensor(objects(values), name))
    assert read_tensor(parse_json(text), spec(dtype="string")).tolist() == values


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(json_values)
def test_json_is_read_as_pythons_own_reader_reads_it(value):
    text = json.dumps(value)
    assert repr(parse_json(text.encode())) == repr(json.loads(text))


@settings(max_examples=200, deadline=None)
@given(npst.arrays(np.float32, npst.array_shapes(max_side=4), elements=st.floats(width=32)))
def test_float32_is_written_in_the_digits_numpy_prints(array):
    assert repr(write_tensor(array, "x")) == repr(array.astype(str).astype(float).tolist())


leaves = st.integers(-(2**65), 2**65) | st.floats() | st.booleans() | st.just("a")


@settings(max_examples=300, deadline=None)
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
    ("body", "expected"),
    [
        ({"instances": [[1, 2], [3, 4]]}, {"x": [[1, 2], [3, 4]]}),
        ({"instances": [{"x": [1, 2]}, {"x": [3, 4]}]}, {"x": [[1, 2], [3, 4]]}),
        ({"inputs": [[1, 2]]}, {"x": [[1, 2]]}),
        ({"inputs": {"x": [[1, 2]]}}, {"x": [[1, 2]]}),
        ({"inputs": 7}, {"x": 7}),
    ],
)
def test_rows_and_columns_with_and_without_a_name_are_read(body, expected):
    inputs = read_inputs(body, signature(x="float32"))
    assert {name: array.tolist() for name, array in inputs.items()} == expected


def test_several_inputs_are_read_by_row():
    rows = {"instances": [{"a": 1, "b": "s"}, {"a": 2, "b": {"b64": "dA=="}}]}
    inputs = read_inputs(rows, signature(a="int64", b="string"))
    assert inputs["a"].tolist() == [1, 2]
    assert inputs["b"].tolist() == [b"s", b"t"]


def test_one_bytes_input_needs_no_name():
    assert read_inputs({"instances": [{"b64": "YQ=="}]}, signature(x="string"))["x"].tolist() == [b"a"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "exactly one of the keys.*neither"),
        ({"inputs": 1, "instances": [1]}, "exactly one of the keys.*both"),
        ({"instances": []}, "non-empty list"),
        ({"instances": {"x": 1}}, "non-empty list"),
        ({"instances": [{"x": 1}, {"y": 1}]}, "must name the same inputs"),
        ({"instances": [{"x": 1}, 2]}, "must name the same inputs"),
        ({"inputs": {"z": 1}}, r"among \['x'\]. Received: \['z'\]"),
        ({"inputs": [[1, 2], [3]]}, "level 1 must be a list of 2. Received: a list of 1"),
        ({"inputs": [[1, 2], 3]}, "level 1 must be a list of 2. Received: int"),
        ({"inputs": ["a"]}, "type float32. Received: 'a'"),
        ({"inputs": [True]}, "type float32. Received: True"),
        ({"inputs": [None]}, "type float32. Received: None"),
        ({"inputs": [1e39]}, "range of float32"),
        ({"inputs": [10**400]}, "range of float32"),
    ],
)
def test_a_wrong_request_is_refused_with_its_reason(body, message):
    with pytest.raises(RequestError, match=message):
        read_inputs(body, signature(x="float32"))


@pytest.mark.parametrize(
    ("dtype", "value", "message"),
    [
        ("int8", 128, "range of int8"),
        ("int32", 1.5, "type int32"),
        ("int32", True, "type int32"),
        ("bool", 1, "type bool"),
        ("string", 1, "must be a string"),
        ("string", {"b64": "a"}, "must be base64"),
        ("string", {"b64": 1}, "must be a string"),
        ("complex64", 1, "can't be sent as JSON"),
    ],
)
def test_a_value_of_another_type_is_refused(dtype, value, message):
    with pytest.raises(RequestError, match=message):
        read_tensor([value], spec(dtype=dtype))


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 100_000, b"[1" + b"0" * 5000 + b"]"])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(RequestError, match="JSON Parse error"):
        parse_json(text)


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
    with pytest.raises(RequestError, match="share a batch size"):
        write_outputs({"a": np.array([1, 2]), "b": other}, by_row=True)
