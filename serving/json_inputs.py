"""The inputs of a Predict request as JSON, by row or by column, the way TF Serving's REST API takes them.

Upstream: tensorflow_serving/util/json_tensor.cc, FillPredictRequestFromJson.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from roadworthy.serving.json_tensors import read_tensor
from roadworthy.serving.json_values import is_b64, quoted
from roadworthy.serving.servables.base import Signature, TensorSpec
from roadworthy.serving.status import RequestError


def read_inputs(body: Mapping[str, Any], signature: Signature) -> dict[str, np.ndarray]:
    """The inputs of a Predict request.

    Args:
        body: the request, with `instances` (a row each) or `inputs` (a tensor each).
        signature: what the model takes.

    Returns:
        An array for each input of the signature.

    Raises:
        RequestError: INVALID_ARGUMENT, neither or both keys, other inputs than the signature's, or values that make no
            tensor of their type.
    """
    if "instances" in body and "inputs" in body:
        raise RequestError(
            f"JSON Value: {quoted(body)} Not formatted correctly expecting only one of 'inputs' or 'instances' keys to "
            "exist"
        )
    if "instances" in body:
        return _read_rows(body, signature)
    if "inputs" not in body:
        raise RequestError("Missing 'inputs' or 'instances' key")
    columns = body["inputs"]
    if not _is_named(columns):
        spec = _only_input(signature, "inputs is a plain value/list, but expecting an object")
        return {spec.name: read_tensor(columns, spec)}
    for name in signature.inputs:
        if name not in columns:
            raise RequestError(f"Missing named input: {name} in 'inputs' object. Received: {', '.join(columns)}.")
    for name in columns:
        if name not in signature.inputs:
            raise RequestError(f"JSON object: does not have named input: {name}")
    return {name: _read_named(columns[name], spec) for name, spec in signature.inputs.items()}


def _read_named(value: Any, spec: TensorSpec) -> np.ndarray:
    try:
        return read_tensor(value, spec)
    except RequestError as error:
        raise RequestError(f"{error} (input {spec.name})", code=error.code) from error


def _read_rows(body: Mapping[str, Any], signature: Signature) -> dict[str, np.ndarray]:
    rows = body["instances"]
    if not isinstance(rows, list):
        raise RequestError(f"JSON Value: {quoted(body)} Excepting 'instances' to be an list/array")
    if not rows:
        raise RequestError(f"JSON Value: {quoted(body)} No values in 'instances' array")
    if not _is_named(rows[0]):
        spec = _only_input(signature, "instances is a plain list, but expecting list of objects")
        return {spec.name: _read_column(rows, spec)}
    for index, row in enumerate(rows):
        if not _is_named(row):
            raise RequestError(f"Expecting object but got list at item {index} of input list")
        if row.keys() != signature.inputs.keys():
            raise RequestError(
                f"Failed to process element: {index} of 'instances' list. JSON object: {quoted(row)} keys must be "
                f"equal to: {','.join(sorted(signature.inputs))}"
            )
    return {
        name: _read_column([row[name] for row in rows], spec, key=f" key: {name}")
        for name, spec in signature.inputs.items()
    }


def _read_column(rows: Sequence[Any], spec: TensorSpec, *, key: str = "") -> np.ndarray:
    try:
        return read_tensor(rows, spec)
    except RequestError as error:
        index = _first_unfit(rows, spec)
        if not key and _is_named(rows[index]):
            raise RequestError(f"Expecting value/list but got object at item {index} of input list") from error
        why = _why_unfit(rows[index], rows[0], spec)
        if why is None:
            raise
        raise RequestError(f"Failed to process element: {index}{key} of 'instances' list. Error: {why}") from error


def _first_unfit(rows: Sequence[Any], spec: TensorSpec) -> int:
    """The first row that makes no tensor with those before it, when all together make none."""
    fit, unfit = 0, len(rows)
    while unfit - fit > 1:
        middle = (fit + unfit) // 2
        try:
            read_tensor([rows[0], *rows[fit:middle]], spec)
            fit = middle
        except RequestError:
            unfit = middle
    return fit


def _why_unfit(row: Any, first: Any, spec: TensorSpec) -> str | None:
    try:
        received = read_tensor(row, spec)
    except RequestError as error:
        return f"{error.code}: {error}"
    wanted = read_tensor(first, spec)
    if received.size != wanted.size:
        return f"INVALID_ARGUMENT: Expecting tensor size: {wanted.size} but got: {received.size}"
    if received.shape != wanted.shape:
        return f"INVALID_ARGUMENT: Expecting shape {_printed(wanted.shape)} but got: {_printed(received.shape)}"
    return None


def _printed(shape: Sequence[int]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not is_b64(value)


def _only_input(signature: Signature, words: str) -> TensorSpec:
    if len(signature.inputs) != 1:
        raise RequestError(
            f"{words} as multiple input tensors required as per tensorinfo_map: {', '.join(sorted(signature.inputs))}"
        )
    return next(iter(signature.inputs.values()))
