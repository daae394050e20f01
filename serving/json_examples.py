"""tf.Examples as JSON, the way TF Serving's REST API takes them for classify and regress, and their results.

Upstream: tensorflow_serving/util/json_tensor.cc, MakeExampleFromJsonObject.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from roadworthy.serving.json_tensors import is_beyond
from roadworthy.serving.json_values import is_b64, json_type, lossy_error, quoted, read_b64
from roadworthy.serving.status import RequestError

_INT64: Final = np.iinfo(np.int64)
_FLOAT: Final = np.dtype(np.float32)
_FIELDS: Final = {"bytes": "bytes_list", "int64": "int64_list", "float": "float_list"}


def read_examples(body: Mapping[str, Any], given: Any) -> None:
    """Fills an `Input` message from the keys `examples` and, if it is there, `context`.

    Args:
        body: the request.
        given: the `Input` of a classification or regression request; empty.

    Raises:
        RequestError: INVALID_ARGUMENT, no list of examples, or a feature whose values are of no or several types.
    """
    if "examples" not in body:
        raise RequestError(
            f"JSON Value: {quoted(body)} When method is classify, key 'examples' is expected and was not found"
        )
    examples = body["examples"]
    if not isinstance(examples, list):
        raise RequestError(f"JSON Value: {quoted(body)} Expecting 'examples' value to be an list/array")
    if not examples:
        raise RequestError(f"JSON Value: {quoted(body)} 'examples' value is an empty array")
    listed = given.example_list
    if "context" in body:
        listed = given.example_list_with_context
        read_example(body["context"], listed.context)
    for example in examples:
        read_example(example, listed.examples.add())


def read_example(value: Any, example: Any) -> None:
    """Fills an `Example` message from an object of features, each a value or a list of values.

    Raises:
        RequestError: INVALID_ARGUMENT, no object, or a feature whose values are of no or several types.
    """
    if not isinstance(value, dict):
        raise RequestError(f"Example must be JSON object but got JSON {json_type(value)}")
    for name, content in value.items():
        if not name.isascii() and name != name.encode(errors="replace").decode():
            raise RequestError(f"Feature: {name!r} must be a text.")
        feature = example.features.feature[name]
        values = content if isinstance(content, list) else [content]
        kinds = [_kind(name, one) for one in values]
        if len(set(kinds)) > 1:
            raise RequestError(f"Unexpected element type in feature: {name} expecting type: {kinds[0]}")
        if values:
            getattr(feature, _FIELDS[kinds[0]]).value.extend(_read(name, one) for one in values)


def write_classes(result: Any) -> dict[str, Any]:
    """The body of a classification: for each example a list of [label, score]."""
    return {
        "results": [
            [[one.label, _shortest(one.score)] for one in classified.classes] for classified in result.classifications
        ]
    }


def write_values(result: Any) -> dict[str, Any]:
    """The body of a regression: a number for each example."""
    return {"results": [_shortest(one.value) for one in result.regressions]}


def _kind(name: str, value: Any) -> str:
    if isinstance(value, bool | int):
        return "int64"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str) or (is_b64(value)):
        return "bytes"
    raise RequestError(f"Feature: {name} has element with unexpected JSON type: {json_type(value)}")


def _read(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="surrogatepass")
    if isinstance(value, dict):
        return read_b64(value)
    if isinstance(value, int) and not _INT64.min <= value <= _INT64.max:
        raise RequestError(f"Feature: {name} has uint64 element. Only int64 is supported.")
    if isinstance(value, float) and math.isfinite(value) and is_beyond(value, _FLOAT):
        raise lossy_error(value, "float")
    return value


def _shortest(value: float) -> float:
    """A float32 in the fewest digits that read back the same: 0.1, not 0.10000000149011612."""
    return float(str(np.float32(value)))
