"""Tensors as JSON, the way TF Serving's REST API writes them, for the server and the client alike.

Upstream: tensorflow_serving/util/json_tensor.cc and g3doc/api_rest.md.
"""

import base64
import binascii
import contextlib
import itertools
import json
import math
import re
import reprlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import orjson

from roadworthy.serving.servables.base import Signature, TensorSpec
from roadworthy.serving.status import RequestError
from roadworthy.serving.tensors import DTYPES

_B64: Final = "b64"
# numpy holds 64; nothing real comes near.
_MAX_RANK: Final = 32
# What JSON's numbers of a kind of dtype are in Python; a bool is none.
_NUMBER_TYPES: Final = {"f": frozenset({int, float}), "i": frozenset({int}), "u": frozenset({int})}
_LARGEST: Final = {np.dtype(numpy): np.finfo(numpy).max for numpy in (np.float16, np.float32, np.float64)}
# Output tensors with this suffix are bytes; other strings are text.
_BYTES_SUFFIX: Final = "_bytes"


_LONG_NUMBER: Final = re.compile(rb"\d{19}")
_NULL: Final = b"null"


def parse_json(body: bytes) -> Any:
    """Parses a JSON document; NaN, Infinity and -Infinity are numbers.

    Raises:
        RequestError: INVALID_ARGUMENT, not JSON in UTF-8, or nested too deeply.
    """
    # orjson is several times quicker, and of what it refuses the other says why, or takes it, such as NaN. It makes
    # floats of integers beyond 64 bits, though.
    if not _LONG_NUMBER.search(body):
        with contextlib.suppress(ValueError):
            return orjson.loads(body)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"JSON Parse error: {error}") from error


def read_inputs(body: Mapping[str, Any], signature: Signature) -> dict[str, np.ndarray]:
    """The inputs of a Predict request.

    Args:
        body: the request, with `instances` (a row each) or `inputs` (a tensor each).
        signature: what the model takes.

    Returns:
        An array for each input the request names; which ones it has to name is for the servable to say.

    Raises:
        RequestError: INVALID_ARGUMENT, neither or both keys, or values that make no tensor of the input's type.
    """
    if ("instances" in body) == ("inputs" in body):
        received = "both" if "inputs" in body else "neither"
        raise RequestError(
            f'A request must have exactly one of the keys "instances" and "inputs". Received: {received}.'
        )
    named = _columns(body["instances"]) if "instances" in body else body["inputs"]
    if not _is_named(named):
        named = {_only_input(signature): named}
    unknown = sorted(named.keys() - signature.inputs.keys())
    if unknown:
        raise RequestError(f"inputs must be among {sorted(signature.inputs)}. Received: {unknown}.")
    return {name: read_tensor(value, signature.inputs[name]) for name, value in named.items()}


def read_tensor(value: Any, spec: TensorSpec) -> np.ndarray:
    """Makes an array of nested JSON lists.

    Raises:
        RequestError: INVALID_ARGUMENT, lists of unequal lengths or a value that is not of the tensor's type.
    """
    if spec.dtype not in DTYPES or spec.dtype.startswith("complex"):
        raise RequestError(f"{spec.name}: dtype {spec.dtype} can't be sent as JSON.", code="UNIMPLEMENTED")
    numbers = _numbers(value, spec)
    if numbers is not None:
        return numbers
    shape = _shape(value)
    leaves = _leaves(value, shape, spec.name)
    array = np.empty(len(leaves), dtype=DTYPES[spec.dtype].numpy)
    for index, leaf in enumerate(leaves):
        array[index] = _read_leaf(leaf, spec)
    return array.reshape(shape)


def _numbers(value: Any, spec: TensorSpec) -> np.ndarray | None:
    """`read_tensor` without a step for each value; None for what is no even list of numbers, or for its odder cases."""
    numpy = DTYPES[spec.dtype].numpy
    shape: list[int] = []
    level = [value]
    while len(shape) <= _MAX_RANK and set(map(type, level)) == {list}:
        sizes = set(map(len, level))
        if len(sizes) != 1:
            return None
        shape.append(sizes.pop())
        level = list(itertools.chain.from_iterable(level))
    types = _NUMBER_TYPES.get(numpy.kind)
    if types is None or not level or len(shape) > _MAX_RANK or not types.issuperset(map(type, level)):
        return None
    try:
        array = np.array(level, dtype=np.float64 if numpy.kind == "f" else numpy)
    except OverflowError:
        return None
    # Neither holds for NaN.
    if numpy.kind == "f" and not abs(array).max() <= _LARGEST[numpy]:
        return None
    return array.astype(numpy, copy=False).reshape(shape)


def write_outputs(outputs: Mapping[str, np.ndarray], *, by_row: bool) -> dict[str, Any]:
    """The body of an answer, for `write_json`: `predictions` by row, else `outputs`; a single output loses its name.

    Raises:
        RequestError: INVALID_ARGUMENT, rows were asked for and the outputs differ in batch size.
    """
    if by_row:
        _check_batch(outputs)
    if len(outputs) == 1:
        ((name, array),) = outputs.items()
        return {"predictions" if by_row else "outputs": array if _is_plain(array) else write_tensor(array, name)}
    written = {name: write_tensor(array, name) for name, array in outputs.items()}
    if not by_row:
        return {"outputs": written}
    return {"predictions": [dict(zip(written, row, strict=True)) for row in zip(*written.values(), strict=True)]}


def write_tensor(array: np.ndarray, name: str) -> Any:
    """Nested lists of an array; float32 in the fewest digits that read back the same.

    Bytes become `{"b64": …}` when the name ends in `_bytes` or they aren't UTF-8, else text.
    """
    if array.dtype.kind in "OSU":
        leaves = [_write_string(value, name) for value in array.ravel().tolist()]
        texts = np.empty(len(leaves), dtype=object)
        texts[:] = leaves
        return texts.reshape(array.shape).tolist()
    # Through JSON, which prints as few digits too and is quicker than numpy; infinities and NaN it has not.
    if _is_plain(array) and _NULL not in (text := orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY)):
        return orjson.loads(text)
    if array.dtype.kind == "f" and array.dtype.itemsize < np.dtype(float).itemsize:
        # Through text: a float32 of 0.1 is then 0.1, where a plain cast gives 0.10000000149011612.
        return array.astype(str).astype(float).tolist()
    return array.tolist()


def write_json(body: Any) -> bytes:
    """Serializes a document, which may hold arrays of float32.

    NaN and Infinity are written as such tokens, whole floats with `.0`.
    """
    # Half a surrogate pair, which a message of ours may quote, is no UTF-8 but can be escaped.
    with contextlib.suppress(orjson.JSONEncodeError):
        text = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
        # What it writes NaN as.
        if _NULL not in text:
            return text
    return json.dumps(body, separators=(",", ":"), default=lambda array: write_tensor(array, "")).encode()


def _is_plain(array: np.ndarray) -> bool:
    """Whether orjson writes an array as it should be, but for infinities and NaN."""
    return array.dtype == np.float32 and array.size > 0 and array.ndim > 0 and array.flags.c_contiguous


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not _is_b64(value)


def _is_b64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {_B64}


def _columns(instances: Any) -> Any:
    """Rows turned into one list an input, or the rows as they are when they name no input."""
    if not isinstance(instances, list) or not instances:
        raise RequestError('Expecting "instances" value to be a non-empty list.')
    named = [_is_named(row) for row in instances]
    if not any(named):
        return instances
    names = instances[0].keys() if named[0] else set()
    if not all(named) or any(row.keys() != names for row in instances):
        raise RequestError(
            f"Every row of instances must name the same inputs. Received: other ones than {sorted(names)}."
        )
    return {name: [row[name] for row in instances] for name in names}


def _only_input(signature: Signature) -> str:
    if len(signature.inputs) != 1:
        raise RequestError(f"A request must name its inputs, which are {sorted(signature.inputs)}. Received: no names.")
    return next(iter(signature.inputs))


def _shape(value: Any) -> tuple[int, ...]:
    shape: list[int] = []
    while isinstance(value, list):
        if len(shape) == _MAX_RANK:
            raise RequestError(f"A tensor must have at most {_MAX_RANK} dimensions. Received: more.")
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _leaves(value: Any, shape: tuple[int, ...], name: str) -> list[Any]:
    level = [value]
    for depth, size in enumerate(shape):
        for item in level:
            if not isinstance(item, list) or len(item) != size:
                received = f"a list of {len(item)}" if isinstance(item, list) else type(item).__name__
                raise RequestError(
                    f"{name}: every item at level {depth} must be a list of {size}. Received: {received}."
                )
        level = [child for item in level for child in item]
    return level


def _read_leaf(leaf: Any, spec: TensorSpec) -> Any:
    if spec.dtype == "string":
        return _read_string(leaf, spec)
    kind = DTYPES[spec.dtype].numpy.kind
    if kind == "b" and isinstance(leaf, bool):
        return leaf
    number = isinstance(leaf, int | float) and not isinstance(leaf, bool)
    if kind == "f" and number:
        return _in_float_range(leaf, spec)
    if kind in "iu" and number and isinstance(leaf, int):
        return _in_integer_range(leaf, spec)
    raise RequestError(f"{spec.name}: every value must be of type {spec.dtype}. Received: {reprlib.repr(leaf)}.")


def _read_string(leaf: Any, spec: TensorSpec) -> bytes:
    if isinstance(leaf, str):
        return leaf.encode(errors="surrogatepass")
    if _is_b64(leaf) and isinstance(leaf[_B64], str):
        try:
            return base64.b64decode(leaf[_B64], validate=True)
        except (binascii.Error, ValueError) as error:
            raise RequestError(f"{spec.name}: {_B64} must be base64. Received: {error}.") from error
    raise RequestError(f'{spec.name}: every value must be a string or {{"b64": "…"}}. Received: {reprlib.repr(leaf)}.')


def _in_integer_range(leaf: int, spec: TensorSpec) -> int:
    bounds = np.iinfo(DTYPES[spec.dtype].numpy)
    if not bounds.min <= leaf <= bounds.max:
        raise RequestError(
            f"{spec.name}: every value must be in the range of {spec.dtype}. Received: {reprlib.repr(leaf)}."
        )
    return leaf


def _in_float_range(leaf: float, spec: TensorSpec) -> float:
    try:
        value = float(leaf)
    except OverflowError:
        value = math.inf
    with np.errstate(over="ignore"):
        rounded = DTYPES[spec.dtype].numpy.type(value)
    if math.isinf(rounded) and leaf not in (math.inf, -math.inf):
        raise RequestError(
            f"{spec.name}: every value must be in the range of {spec.dtype}. Received: {reprlib.repr(leaf)}."
        )
    return value


def _write_string(value: bytes | str, name: str) -> Any:
    if isinstance(value, str):
        return value
    if not name.endswith(_BYTES_SUFFIX):
        try:
            return value.decode()
        except UnicodeDecodeError:
            # Upstream writes broken UTF-8 here, which no JSON parser takes.
            pass
    return {_B64: base64.b64encode(value).decode()}


def _check_batch(outputs: Mapping[str, np.ndarray]) -> None:
    batches = {name: array.shape[0] if array.ndim else None for name, array in outputs.items()}
    if len(set(batches.values())) != 1 or None in batches.values():
        raise RequestError(f'Outputs must share a batch size for "instances". Received: {batches}; ask with "inputs".')
