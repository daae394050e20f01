"""Tensors as JSON, the way TF Serving's REST API writes them, for the server and the client alike.

Upstream: tensorflow_serving/util/json_tensor.cc and g3doc/api_rest.md.
"""

import contextlib
import itertools
import json
import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import orjson

from roadworthy.serving.json_values import lossy_error, quoted, read_b64, type_error, written_b64
from roadworthy.serving.servables.base import TensorSpec
from roadworthy.serving.status import RequestError
from roadworthy.serving.tensors import DTYPES

# numpy holds 64; nothing real comes near.
_MAX_RANK: Final = 32
# What JSON's numbers of a kind of dtype are in Python; a bool is none.
_NUMBER_TYPES: Final = {"f": frozenset({int, float}), "i": frozenset({int}), "u": frozenset({int})}
_FLOATS: Final = {np.dtype(numpy): np.finfo(numpy) for numpy in (np.float16, np.float32, np.float64)}
_LARGEST: Final = {numpy: float(info.max) for numpy, info in _FLOATS.items()}
# Up to these a float holds every integer.
_LARGEST_INTEGER: Final = {numpy: 2 ** (info.nmant + 1) - 1 for numpy, info in _FLOATS.items()}
# Output tensors with this suffix are bytes; other strings are text.
_BYTES_SUFFIX: Final = "_bytes"
# TensorFlow's own names of types, where numpy has others.
_TYPE_NAMES: Final = {"float16": "half", "float32": "float", "float64": "double"}
_NULL: Final = b"null"


def read_tensor(value: Any, spec: TensorSpec) -> np.ndarray:
    """Makes an array of nested JSON lists.

    Raises:
        RequestError: INVALID_ARGUMENT, lists of unequal lengths or a value that is not of the tensor's type.
    """
    if spec.dtype not in DTYPES or spec.dtype.startswith("complex"):
        raise RequestError(f"Conversion of JSON Value: {quoted(value)} to type: {spec.dtype}", code="UNIMPLEMENTED")
    numbers = _numbers(value, spec)
    if numbers is not None:
        return numbers
    shape = _shape(value)
    leaves = _leaves(value, shape)
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
    received = set(map(type, level))
    if types is None or not level or len(shape) > _MAX_RANK or not types.issuperset(received):
        return None
    try:
        array = np.array(level, dtype=np.float64 if numpy.kind == "f" else numpy)
    except OverflowError:
        return None
    # Neither holds for NaN.
    bounds = _LARGEST_INTEGER if int in received else _LARGEST
    if numpy.kind == "f" and not abs(array).max() <= bounds[numpy]:
        return None
    return array.astype(numpy, copy=False).reshape(shape)


def is_beyond(value: float, numpy: np.dtype) -> bool:
    """Whether a number is infinite as such a float; the largest one, rounded up to its fewest digits, is not."""
    with np.errstate(over="ignore"):
        return math.isinf(numpy.type(value))


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

    Raises:
        RequestError: INVALID_ARGUMENT, complex numbers.
    """
    if array.dtype.kind == "c":
        raise RequestError(f"Failed to write JSON value for tensor type: {array.dtype}")
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


def _leaves(value: Any, shape: tuple[int, ...]) -> list[Any]:
    level = [value]
    for depth, size in enumerate(shape):
        for item in level:
            if not isinstance(item, list):
                raise RequestError(
                    f"JSON Value: {quoted(item)} found at incorrect level: {depth + 1} in the JSON DOM. "
                    f"Expected at level: {len(shape)}"
                )
            if len(item) != size:
                raise RequestError(
                    f"Encountered list at unexpected size: {len(item)} at level: {depth} expected size: {size}"
                )
        level = [child for item in level for child in item]
    if any(isinstance(leaf, list) for leaf in level):
        raise RequestError(f"Encountered list at unexpected level: {len(shape)} expected < {len(shape)}")
    return level


def _read_leaf(leaf: Any, spec: TensorSpec) -> Any:
    if spec.dtype == "string":
        return _read_string(leaf)
    numpy = DTYPES[spec.dtype].numpy
    if numpy.kind == "b" and isinstance(leaf, bool):
        return leaf
    number = isinstance(leaf, int | float) and not isinstance(leaf, bool)
    if numpy.kind == "f" and number:
        return _read_float(leaf, numpy, _TYPE_NAMES[spec.dtype])
    if numpy.kind in "iu" and number and isinstance(leaf, int):
        bounds = np.iinfo(numpy)
        if bounds.min <= leaf <= bounds.max:
            return leaf
    raise type_error(leaf, _TYPE_NAMES.get(spec.dtype, spec.dtype))


def _read_string(leaf: Any) -> bytes:
    if isinstance(leaf, dict):
        return read_b64(leaf)
    if not isinstance(leaf, str):
        raise type_error(leaf, "string")
    return leaf.encode(errors="surrogatepass")


def _read_float(leaf: float, numpy: np.dtype, name: str) -> float:
    """A number as a float, unless it is out of range or, as upstream has it, an integer that not every float holds."""
    if isinstance(leaf, int):
        if abs(leaf) > _LARGEST_INTEGER[numpy]:
            raise lossy_error(leaf, name)
    elif math.isfinite(leaf) and is_beyond(leaf, numpy):
        raise lossy_error(leaf, name)
    return float(leaf)


def _write_string(value: bytes | str, name: str) -> Any:
    if isinstance(value, str):
        return value
    if not name.endswith(_BYTES_SUFFIX):
        try:
            return value.decode()
        except UnicodeDecodeError:
            # Upstream writes broken UTF-8 here, which no JSON parser takes.
            pass
    return written_b64(value)


def _check_batch(outputs: Mapping[str, np.ndarray]) -> None:
    expected = None
    for name, array in outputs.items():
        if not array.ndim:
            raise RequestError(f'Tensor name: {name} has no shape information ; ask with "inputs"')
        if expected is not None and len(array) != expected:
            raise RequestError(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {expected}; "
                'ask with "inputs"'
            )
        expected = len(array)
