"""Looks into a LiteRT model: what its operators really compute in, and what is left of zeros and clusters."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from roadworthy.models.compression.kernels import levels
from roadworthy.serving.errors import ModelError

QuantizedType = Literal["int8", "dynamic", "float16", "16x8"]

_OPERATORS: Final = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
_TYPES: Final = {code: name for name, code in vars(schema.TensorType).items() if not name.startswith("_")}
# The two that convert between float and integers; a float16 kernel is read through the second.
_BORDERS: Final = frozenset({"QUANTIZE", "DEQUANTIZE"})
_KERNEL_INPUT: Final = 1
# The axis of a stored kernel that counts output channels.
_CHANNEL_AXES: Final = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0}
# Which of a TRANSPOSE_CONV's inputs is the image; of the others it is the first.
_IMAGE_INPUTS: Final = {"TRANSPOSE_CONV": 2}
_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "INT8": np.dtype("i1"),
    "FLOAT16": np.dtype("<f2"),
    "FLOAT32": np.dtype("<f4"),
}

# Type of the image an operator takes, then of its kernel.
_WANTED: Final[dict[QuantizedType, tuple[str, str]]] = {
    "int8": ("INT8", "INT8"),
    "dynamic": ("FLOAT32", "INT8"),
    "float16": ("FLOAT32", "FLOAT16"),
    "16x8": ("INT16", "INT8"),
}
_HINT: Final = "Replace the layers that LiteRT can't quantise."
_HINTS: Final = {"dynamic": "LiteRT leaves kernels of less than 1,024 weights alone; use int8."}
_INTEGER_TYPES: Final = frozenset({"int8", "16x8"})


@dataclass(frozen=True)
class Kernel:
    """A constant kernel of a convolution or dense layer.

    Attributes:
        name: the tensor's, which holds the layer's.
        image_type: what the operator takes beside it, such as INT8.
        stored_type: INT8, FLOAT16 or FLOAT32.
        rows: the weights as stored, [output channels, weights a channel].
    """

    name: str
    image_type: str
    stored_type: str
    rows: np.ndarray


@dataclass(frozen=True)
class FloatOperator:
    """An operator that computes in float32.

    Attributes:
        operator: its kind, such as ADD.
        output: the name of what it writes, which holds the layer's.
    """

    operator: str
    output: str


def check_quantized(flatbuffer: bytes, wanted: QuantizedType) -> None:
    """Holds a converted model to the type that was asked for, in at least one of its kernels.

    Raises:
        ModelError: no operator takes a kernel and an image of the types wanted; the message counts what there is.
    """
    found = [(kernel.image_type, kernel.stored_type) for kernel in kernels(flatbuffer)]
    if _WANTED[wanted] not in found:
        counts = {
            f"{image} image, {kernel} kernel": found.count((image, kernel)) for image, kernel in sorted(set(found))
        }
        raise ModelError(
            f"A model converted to {wanted} must take a {_WANTED[wanted][0]} image and a {_WANTED[wanted][1]} kernel "
            f"in some operator. Received: {counts or 'no kernel'}. {_HINTS.get(wanted, _HINT)}"
        )


def check_borders(flatbuffer: bytes, wanted: Literal["float32", "int8", "uint8"]) -> None:
    """Holds a converted model's input and output to a type.

    Raises:
        ModelError: one has another.
    """
    (graph, *_) = _read(flatbuffer).subgraphs
    types = [_TYPES[graph.tensors[index].type].lower() for index in [*graph.inputs, *graph.outputs]]
    if set(types) != {wanted}:
        raise ModelError(f"The converted model must take and give {wanted}. Received: {types}.")


def float_operators(flatbuffer: bytes, wanted: QuantizedType) -> list[FloatOperator]:
    """The operators left in float32 that `wanted` would have in integers, in the order computed.

    For int8 and 16x8 these are all that read or write float32 between the borders; for dynamic and float16, which
    compute in float32, those whose kernel is stored in float32.
    """
    if wanted in _INTEGER_TYPES:
        return [
            FloatOperator(name, outputs[0].name.decode())
            for name, inputs, outputs in _operators(_read(flatbuffer))
            if name not in _BORDERS and any(tensor.type == schema.TensorType.FLOAT32 for tensor in [*inputs, *outputs])
        ]
    return [FloatOperator("kernel", kernel.name) for kernel in kernels(flatbuffer) if kernel.stored_type == "FLOAT32"]


def check_zeros_kept(flatbuffer: bytes, *, before: Sequence[np.ndarray]) -> None:
    """Holds a converted model's kernels to the zeros of those they were made from.

    Args:
        flatbuffer: a LiteRT model.
        before: the kernels of the model it was converted from, each [output channels, weights a channel].

    Raises:
        ModelError: a kernel that has zeros is missing or has fewer of them.
    """
    wanted = _by_shape([rows for rows in before if not np.all(rows)], _zeros)
    found = _by_shape([kernel.rows for kernel in kernels(flatbuffer)], _zeros)
    for (channels, weights), zeros in wanted.items():
        # Kernels of one shape can't be told apart; those of most zeros must each find one that has as many.
        most_first, there = zeros[::-1], found.get((channels, weights), [])[::-1]
        # Small weights round to zero, so more zeros are as they should be.
        if len(there) < len(zeros) or any(after < before for before, after in zip(most_first, there, strict=False)):
            raise ModelError(
                f"Converted kernels of {channels} channels of {weights} weights must keep the zeros of the model's: "
                f"{most_first}. Received: {there}."
            )


def check_levels_kept(flatbuffer: bytes, *, before: Sequence[np.ndarray]) -> None:
    """Holds a converted model's kernels to as few different values as those they were made from.

    Every channel may have a scale of its own, so values are counted channel by channel.

    Args:
        flatbuffer: a LiteRT model.
        before: the kernels of the model it was converted from, each [output channels, weights a channel].

    Raises:
        ModelError: a kernel is missing or has a channel of more values.
    """
    wanted, found = _by_shape(before, levels), _by_shape([kernel.rows for kernel in kernels(flatbuffer)], levels)
    for (channels, weights), most in wanted.items():
        # Kernels of one shape can't be told apart; in ascending order each must find one that is no worse.
        there = found.get((channels, weights), [])
        if len(there) < len(most) or any(after > before for before, after in zip(most, there, strict=False)):
            raise ModelError(
                f"Converted kernels of {channels} channels of {weights} weights must have no more values a channel "
                f"than the model's: {most}. Received: {there}."
            )


def kernels(flatbuffer: bytes) -> list[Kernel]:
    """The constant kernels of convolutions and dense layers, in the order computed."""
    model = _read(flatbuffer)
    sources = {id(outputs[0]): inputs[0] for name, inputs, outputs in _operators(model) if name == "DEQUANTIZE"}
    found = []
    for name, inputs, _ in _operators(model):
        if name in _CHANNEL_AXES:
            stored = sources.get(id(inputs[_KERNEL_INPUT]), inputs[_KERNEL_INPUT])
            image = inputs[_IMAGE_INPUTS.get(name, 0)]
            found += [
                Kernel(stored.name.decode(), _TYPES[image.type], _TYPES[stored.type], rows)
                for rows in _rows(model, stored, axis=_CHANNEL_AXES[name])
            ]
    return found


def int8_kernels(flatbuffer: bytes) -> list[np.ndarray]:
    """The int8 kernels of convolutions and dense layers, [output channels, weights a channel] each."""
    return [kernel.rows for kernel in kernels(flatbuffer) if kernel.stored_type == "INT8"]


def _rows(model: Any, tensor: Any, *, axis: int) -> Iterator[np.ndarray]:
    """The weights of a constant tensor, output channels first; nothing for one that is computed."""
    data = model.buffers[tensor.buffer].data
    if data is not None and len(data):
        weights = np.asarray(data, np.uint8).view(_DTYPES[_TYPES[tensor.type]]).reshape(tensor.shape)
        yield np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)


def _read(flatbuffer: bytes) -> Any:
    return schema.ModelT.InitFromPackedBuf(flatbuffer, 0)


def _operators(model: Any) -> list[tuple[str, list[Any], list[Any]]]:
    """Every operator's name, the tensors it reads and those it writes; -1 marks an absent optional one."""
    return [
        (
            _OPERATORS[_code(model.operatorCodes[operator.opcodeIndex])],
            [graph.tensors[index] for index in operator.inputs if index >= 0],
            [graph.tensors[index] for index in operator.outputs if index >= 0],
        )
        for graph in model.subgraphs
        for operator in graph.operators
    ]


def _code(operator_code: Any) -> int:
    # Codes from 127 on are in the newer field; files from old converters have only the older one.
    return int(max(operator_code.builtinCode, operator_code.deprecatedBuiltinCode))


def _zeros(rows: np.ndarray) -> int:
    return int(np.count_nonzero(rows == 0))


def _by_shape(kernels: Sequence[np.ndarray], count: Callable[[np.ndarray], int]) -> dict[tuple[int, ...], list[int]]:
    """The counts of all kernels of a shape, ascending."""
    found: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for rows in kernels:
        found[rows.shape].append(count(rows))
    return {shape: sorted(counts) for shape, counts in found.items()}
