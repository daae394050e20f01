"""What callers may give for tensors and features, as the arrays that are sent."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from roadworthy.serving.client.errors import InvalidRequest
from roadworthy.serving.tensors import TensorError, dtype_of

# As `tf.constant` does: Python's own numbers become TensorFlow's usual types, numpy's keep theirs.
_PYTHON_TYPES: Final = {"f": np.float32, "i": np.int32}
_INT64_MAX: Final = 2**63 - 1


def as_tensors(inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """An array for each input; see `as_tensor`."""
    return {name: as_tensor(name, value) for name, value in inputs.items()}


def as_tensor(name: str, value: Any) -> np.ndarray:
    """The array that is sent for a value.

    Args:
        name: of the input, for the message.
        value: an array, bytes, text, a number, or nested sequences of one of them. Python's floats become float32 and
            its ints int32, or int64 where they have to; arrays keep their dtype.

    Returns:
        An array of a dtype a TensorProto has; strings as an object array of bytes, text in UTF-8.

    Raises:
        InvalidRequest: sequences of unequal lengths, or values of a type that can't be sent.
    """
    try:
        array = value if isinstance(value, np.ndarray | np.generic) else _of_python(value)
        array = np.asarray(array)
        return _of_strings(array) if dtype_of(array).name == "string" else array
    except (TensorError, ValueError, OverflowError) as error:
        raise InvalidRequest(f"input {name}: {error}", code="INVALID_ARGUMENT") from error


def _of_python(value: Any) -> np.ndarray:
    if isinstance(_first(value), bytes | str):
        # As objects: numpy's own strings lose the zero bytes an image may end with.
        return np.array(value, dtype=object)
    array = np.asarray(value)
    usual = None if _holds_numpy(value) else _PYTHON_TYPES.get(array.dtype.kind)
    if usual is None or (usual is np.int32 and np.any(array != array.astype(np.int32))):
        return array
    return array.astype(usual)


def _of_strings(array: np.ndarray) -> np.ndarray:
    strings = np.empty(array.size, dtype=object)
    strings[:] = [_as_bytes(value) for value in array.ravel().tolist()]
    return strings.reshape(array.shape)


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode(errors="surrogatepass")
    if not isinstance(value, bytes):
        raise TensorError(f"A string tensor must hold bytes or str. Received: {type(value).__name__}.")
    return value


def _first(value: Any) -> Any:
    while isinstance(value, Sequence) and not isinstance(value, bytes | str) and value:
        value = value[0]
    return value


def _holds_numpy(value: Any) -> bool:
    return isinstance(_first(value), np.ndarray | np.generic)


def as_features(features: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The features of one `tf.Example` as lists of bytes, ints or floats.

    Args:
        features: by name a value or a sequence of values, all bytes, text, ints or floats; arrays are flattened.

    Raises:
        InvalidRequest: values that are of none of these, or of several.
    """
    return {name: _as_values(name, value) for name, value in features.items()}


def _as_values(name: str, value: Any) -> list[Any]:
    if not isinstance(value, np.ndarray | np.generic) and isinstance(_first(value), bytes | str):
        value = np.array(value, dtype=object)
    array = np.asarray(value).ravel()
    if array.dtype.kind in "OSU":
        return list(as_tensor(name, array))
    if array.dtype.kind not in "fiub":
        raise InvalidRequest(
            f"feature {name} must be bytes, text, ints or floats. Received: {array.dtype}.", code="INVALID_ARGUMENT"
        )
    values: list[Any] = array.tolist() if array.dtype.kind == "f" else [int(one) for one in array.tolist()]
    if array.dtype.kind == "u" and values and max(values) > _INT64_MAX:
        raise InvalidRequest(f"feature {name} must fit int64. Received: {max(values)}.", code="INVALID_ARGUMENT")
    return values
