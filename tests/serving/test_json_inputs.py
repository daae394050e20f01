"""Inputs of Predict requests by row and by column, and what upstream says of those that are none."""

import pytest

from roadworthy.serving.json_inputs import read_inputs
from roadworthy.serving.servables.base import Signature, TensorSpec
from roadworthy.serving.status import RequestError


def signature(**dtypes):
    return Signature({name: TensorSpec(name, dtype, None) for name, dtype in dtypes.items()}, {})


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
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"inputs": 1, "instances": [1]}, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"instances": {"x": 1}}, "Excepting 'instances' to be an list/array"),
        ({"instances": [{"x": 1}, {"y": 1}]}, "element: 1 of 'instances' list. JSON object: .* must be equal to: x"),
        ({"instances": [{"x": 1}, 2]}, "Expecting object but got list at item 1 of input list"),
        ({"instances": [1, 2, {"x": 2}]}, "Expecting value/list but got object at item 2 of input list"),
        ({"instances": [[1], [2], ["a"]]}, 'element: 2 of .* INVALID_ARGUMENT: JSON Value: "a" Type: String is not of'),
        ({"instances": [{"x": 1}, {"x": "a"}]}, "element: 1 key: x of 'instances' list. Error: INVALID_ARGUMENT"),
        ({"instances": [[1, 2], [3, 4], [5, 6, 7]]}, "element: 2 of .* Expecting tensor size: 2 but got: 3"),
        ({"instances": [[1, 2], [3, 4], [[5, 6]]]}, r"element: 2 of .* Expecting shape \[2\] but got: \[1,2\]"),
        ({"instances": [1, [1]]}, r"Expecting shape \[\] but got: \[1\]"),
        ({"inputs": {"z": 1}}, "Missing named input: x in 'inputs' object. Received: z."),
        ({"inputs": {"x": 1, "z": 1}}, "JSON object: does not have named input: z"),
        ({"inputs": [[1, 2], [3]]}, "Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
        ({"inputs": [[1, 2], 3]}, "JSON Value: 3 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
        ({"inputs": [1, [2]]}, "Encountered list at unexpected level: 1 expected < 1"),
        ({"inputs": [True]}, "JSON Value: true Type: True is not of expected type: float"),
        ({"inputs": {"x": ["a"]}}, r"is not of expected type: float \(input x\)"),
    ],
)
def test_a_wrong_request_is_refused_with_its_reason(body, message):
    with pytest.raises(RequestError, match=message):
        read_inputs(body, signature(x="float32"))


def test_a_list_is_not_enough_for_several_inputs():
    for key in ("inputs", "instances"):
        with pytest.raises(RequestError, match=f"{key} is a plain .* multiple input tensors required .*: a, b"):
            read_inputs({key: [1]}, signature(a="float32", b="float32"))


@pytest.mark.parametrize("wrong", [0, 1, 499, 999])
def test_of_many_rows_the_wrong_one_is_named(wrong):
    rows = [[float(row), 1.0] for row in range(1000)]
    rows[wrong] = [None, 1.0]
    with pytest.raises(RequestError, match=f"element: {wrong} of 'instances' list. .* Type: Null"):
        read_inputs({"instances": rows}, signature(x="float32"))
