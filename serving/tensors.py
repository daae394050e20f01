"""TensorProto to numpy and back without TensorFlow, as `tf.make_ndarray` and `tf.make_tensor_proto` do it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from roadworthy.serving.protos import DATA_TYPES, TensorProto

# A few bytes can announce any shape, since the last value is repeated; beyond this, for all tensors of a message
# together, nothing is allocated.
MAX_TENSOR_BYTES: Final = 1 << 28


# Types whose values stand on the wire as numpy holds them, with the tag of their field; worth it for so many values.
_PACKED: Final = {"float32": 5 << 3 | 2, "float64": 6 << 3 | 2}
_MANY: Final = 64
_SEVEN_BITS: Final = 0x7F


class TensorError(ValueError):
    """A tensor or TensorProto that can't be turned into the other."""


@dataclass(frozen=True)
class DType:
    """A data type three ways: TensorFlow's name, numpy's type, and TensorProto's field for its values."""

    name: str
    numpy: Any
    field: str

    @property
    def enum(self) -> str:
        """The name in the proto, e.g. ``DT_FLOAT``."""
        return _ENUM_NAMES.get(self.name, f"DT_{self.name.upper()}")


_ENUM_NAMES: Final = {"float16": "DT_HALF", "float32": "DT_FLOAT", "float64": "DT_DOUBLE"}

DTYPES: Final = {
    name: DType(name, numpy, field)
    for name, numpy, field in (
        ("string", np.dtype(object), "string_val"),
        ("bool", np.dtype(bool), "bool_val"),
        ("int8", np.dtype("<i1"), "int_val"),
        ("int16", np.dtype("<i2"), "int_val"),
        ("int32", np.dtype("<i4"), "int_val"),
        ("int64", np.dtype("<i8"), "int64_val"),
        ("uint8", np.dtype("<u1"), "int_val"),
        ("uint16", np.dtype("<u2"), "int_val"),
        ("uint32", np.dtype("<u4"), "uint32_val"),
        ("uint64", np.dtype("<u8"), "uint64_val"),
        ("float16", np.dtype("<f2"), "half_val"),
        ("float32", np.dtype("<f4"), "float_val"),
        ("float64", np.dtype("<f8"), "double_val"),
        ("complex64", np.dtype("<c8"), "scomplex_val"),
        ("complex128", np.dtype("<c16"), "dcomplex_val"),
    )
}
_BY_NUMBER: Final = {DATA_TYPES[dtype.enum]: dtype for dtype in DTYPES.values()}
_BY_NUMPY: Final = {dtype.numpy: dtype for dtype in DTYPES.values()}
_ENUM_OF_NUMBER: Final = {number: name for name, number in DATA_TYPES.items()}


def dtype_of(array: np.ndarray) -> DType:
    """The data type of a numpy array; object, bytes and text arrays are strings.

    Raises:
        TensorError: numpy's type has no counterpart here.
    """
    # The name, which costs much more to tell than to look up, is the same in either byte order.
    dtype = _BY_NUMPY.get(array.dtype)
    if dtype is not None:
        return dtype
    if array.dtype.kind in "OSU":
        return DTYPES["string"]
    dtype = DTYPES.get(array.dtype.name)
    if dtype is None:
        raise TensorError(f"A tensor's dtype must be one of {', '.join(DTYPES)}. Received: {array.dtype}.")
    return dtype


def dtype_of_number(number: int) -> DType:
    """The data type of an enum number in a proto.

    Raises:
        TensorError: a type without support here, such as a resource, a quantized type or bfloat16.
    """
    dtype = _BY_NUMBER.get(number)
    if dtype is None:
        received = _ENUM_OF_NUMBER.get(number, number)
        raise TensorError(f"A tensor's dtype must be one of {', '.join(DTYPES)}. Received: {received}.")
    return dtype


def to_proto(array: np.ndarray) -> Any:
    """Packs an array into a TensorProto, its values in the field of their type, as TF Serving answers.

    Args:
        array: of any shape and a dtype of `DTYPES`; strings as object arrays of bytes or str (UTF-8).

    Raises:
        TensorError: another dtype, or an object that is neither bytes nor str.
    """
    dtype = dtype_of(array)
    proto = TensorProto(dtype=DATA_TYPES[dtype.enum])
    # Set even when it has no dims: a scalar's shape is known, and absent means the same on the wire.
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    if dtype.name in _PACKED and array.size >= _MANY:
        proto.MergeFromString(_packed(array, dtype))
    else:
        getattr(proto, dtype.field).extend(_field_of(array, dtype))
    return proto


def _packed(array: np.ndarray, dtype: DType) -> bytes:
    """The field of a type's values as it stands on the wire, which is how numpy holds them."""
    values = np.ascontiguousarray(array, dtype=dtype.numpy).tobytes()
    return bytes([_PACKED[dtype.name]]) + _varint(len(values)) + values


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > _SEVEN_BITS:
        written.append(number & _SEVEN_BITS | 1 << 7)
        number >>= 7
    return bytes(written) + bytes([number])


def _unpacked(values: Any, dtype: DType) -> np.ndarray:
    """The values of a field, by way of the wire, where they lie side by side."""
    alone = TensorProto()
    getattr(alone, dtype.field).MergeFrom(values)
    wire = alone.SerializeToString()
    return np.frombuffer(wire, dtype.numpy, offset=len(wire) - len(values) * dtype.numpy.itemsize)


def _field_of(array: np.ndarray, dtype: DType) -> list[Any]:
    """An array's values as its type's field holds them: float16 by its bits, complex numbers as pairs."""
    if dtype.name == "string":
        return [_as_bytes(value) for value in array.ravel().tolist()]
    flat = np.ascontiguousarray(array, dtype=dtype.numpy).ravel()
    if dtype.field == "half_val":
        flat = flat.view(np.uint16)
    if dtype.field.endswith("complex_val"):
        flat = flat.view(f"<f{dtype.numpy.itemsize // 2}")
    values: list[Any] = flat.tolist()
    return values


def from_protos(protos: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Unpacks the TensorProtos of a request, once all that they announce together was found to be little enough.

    Raises:
        TensorError: as `from_proto`; more than `MAX_TENSOR_BYTES` in all.
    """
    if len(protos) > 1:
        _check_bytes(sum(_announced_bytes(proto) for proto in protos.values()), "The tensors of a request")
    return {name: from_proto(proto) for name, proto in protos.items()}


def from_proto(proto: Any) -> np.ndarray:
    """Unpacks a TensorProto into an array of its shape; strings become an object array of bytes.

    Fewer values than elements repeat the last one, and none at all means zeros or empty strings.

    Raises:
        TensorError: an unknown dtype, an unknown or too large shape, or values that don't fit either.
    """
    dtype = dtype_of_number(proto.dtype)
    shape = _shape(proto.tensor_shape)
    count = math.prod(shape)
    _check_bytes(count * dtype.numpy.itemsize, f"A tensor of shape {list(shape)}")
    if proto.tensor_content:
        return _from_content(proto.tensor_content, dtype, shape)
    values = _field_values(proto, dtype)
    if len(values) > count:
        raise TensorError(f"A tensor of shape {list(shape)} must have {count} values. Received: {len(values)}.")
    return _reshaped(_repeat_last(values, count, dtype), shape)


def _announced_bytes(proto: Any) -> int:
    """What a tensor would take; of strings, what holds them."""
    itemsize: int = dtype_of_number(proto.dtype).numpy.itemsize
    return math.prod(_shape(proto.tensor_shape)) * itemsize


def _check_bytes(size: int, what: str) -> None:
    if size > MAX_TENSOR_BYTES:
        raise TensorError(f"{what} must have at most {MAX_TENSOR_BYTES:,} bytes. Received: {size:,}.")


def _shape(shape: Any) -> tuple[int, ...]:
    sizes = tuple([dim.size for dim in shape.dim])
    if shape.unknown_rank or min(sizes, default=0) < 0:
        raise TensorError(f"A tensor's shape must be known. Received: {'unknown rank' if not sizes else list(sizes)}.")
    return sizes


def _from_content(content: bytes, dtype: DType, shape: tuple[int, ...]) -> np.ndarray:
    if dtype.name == "string":
        raise TensorError("A string tensor's values must be in string_val. Received: tensor_content.")
    wanted = math.prod(shape) * dtype.numpy.itemsize
    if len(content) != wanted:
        raise TensorError(
            f"The tensor_content of a {dtype.name} tensor of shape {list(shape)} must have {wanted} bytes. "
            f"Received: {len(content)}."
        )
    # Copied, since the bytes of a message can't be written to.
    return _reshaped(np.frombuffer(content, dtype=dtype.numpy).copy(), shape)


def _reshaped(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    try:
        return values.reshape(shape)
    except ValueError as error:
        raise TensorError(f"A tensor's shape must be one that numpy can hold. Received: {error}.") from error


def _field_values(proto: Any, dtype: DType) -> np.ndarray:
    values = getattr(proto, dtype.field)
    if dtype.name == "string":
        return _object_array(list(values))
    if dtype.field == "half_val":
        return _checked(list(values), np.dtype("<u2"), dtype).view(dtype.numpy)
    if dtype.field.endswith("complex_val"):
        return _complex(values, dtype)
    if dtype.name in _PACKED and len(values) >= _MANY:
        return _unpacked(values, dtype)
    return _checked(list(values), dtype.numpy, dtype)


def _complex(values: Any, dtype: DType) -> np.ndarray:
    if len(values) % 2:
        raise TensorError(f"The values of a {dtype.name} tensor must be pairs. Received: {len(values)} numbers.")
    half = np.dtype(f"<f{dtype.numpy.itemsize // 2}")
    return np.array(list(values), dtype=half).view(dtype.numpy)


def _checked(values: list, numpy: np.dtype, dtype: DType) -> np.ndarray:
    try:
        return np.array(values, dtype=numpy)
    except OverflowError as error:
        raise TensorError(f"The values of a {dtype.name} tensor must be in its range. Received: {error}.") from error


def _repeat_last(values: np.ndarray, count: int, dtype: DType) -> np.ndarray:
    if len(values) == count:
        return values if values.flags.writeable else values.copy()
    filler = values[-1] if len(values) else (b"" if dtype.name == "string" else 0)
    filled = np.empty(count, dtype=dtype.numpy)
    filled[: len(values)] = values
    filled[len(values) :] = filler
    return filled


def _object_array(values: list) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _as_bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if not isinstance(value, bytes):
        raise TensorError(f"A string tensor must hold bytes or str. Received: {type(value).__name__}.")
    return value
