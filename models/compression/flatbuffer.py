"""Looks into a LiteRT model: whether it really computes in int8, and whether its kernels kept their zeros."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from roadworthy.serving.errors import ModelError

_NAMES: Final = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
# The two that stand at the borders between float32 and int8.
_BORDERS: Final = frozenset({"QUANTIZE", "DEQUANTIZE"})
_WITH_KERNEL: Final = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"})
_KERNEL_INPUT: Final = 1


def check_int8(flatbuffer: bytes) -> None:
    """Holds every operator to int8, but for those that convert the input and the output.

    Raises:
        ModelError: an operator reads or writes float32, or no kernel is int8; the message counts the operators.
    """
    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    floats: dict[str, int] = {}
    for name, tensors in _operators(model):
        if name not in _BORDERS and any(tensor.type == schema.TensorType.FLOAT32 for tensor in tensors):
            floats[name] = floats.get(name, 0) + 1
    if floats or not int8_kernels(flatbuffer):
        raise ModelError(
            "The converted model must compute in int8 between its borders. "
            f"Received: operators in float32: {floats or 'none'}, kernels in int8: {len(int8_kernels(flatbuffer))}. "
            "Replace the layers that LiteRT can't quantise."
        )


def check_zeros_kept(flatbuffer: bytes, *, kernels: Sequence[np.ndarray]) -> None:
    """Holds a converted model's kernels to the sparsity of those they were made from.

    Args:
        flatbuffer: a LiteRT model with int8 kernels.
        kernels: the kernels of the model it was converted from, of any shape.

    Raises:
        ModelError: a smaller share of the int8 weights is zero.
    """
    before, after = _sparsity(kernels), _sparsity(int8_kernels(flatbuffer))
    # Small weights round to zero, so more zeros are as they should be.
    if after < before:
        raise ModelError(
            f"The int8 kernels must keep the zeros of the model's: a share of {before:.4f}. Received: {after:.4f}."
        )


def int8_kernels(flatbuffer: bytes) -> list[np.ndarray]:
    """The int8 kernels of convolutions and dense layers, in the operators' order."""
    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    kernels = [tensors[_KERNEL_INPUT] for name, tensors in _operators(model) if name in _WITH_KERNEL]
    return [
        np.asarray(model.buffers[kernel.buffer].data, np.uint8).view(np.int8).reshape(kernel.shape)
        for kernel in kernels
        if kernel.type == schema.TensorType.INT8 and model.buffers[kernel.buffer].data is not None
    ]


def _operators(model: Any) -> list[tuple[str, list[Any]]]:
    """Every operator's name with the tensors it reads, then those it writes; -1 marks an absent optional one."""
    return [
        (
            _NAMES[_code(model.operatorCodes[operator.opcodeIndex])],
            [graph.tensors[index] for index in [*operator.inputs, *operator.outputs] if index >= 0],
        )
        for graph in model.subgraphs
        for operator in graph.operators
    ]


def _code(operator_code: Any) -> int:
    # Codes from 127 on are in the newer field; files from old converters have only the older one.
    return int(max(operator_code.builtinCode, operator_code.deprecatedBuiltinCode))


def _sparsity(kernels: Sequence[np.ndarray]) -> float:
    weights = sum(kernel.size for kernel in kernels)
    return sum(int(np.count_nonzero(kernel == 0)) for kernel in kernels) / max(1, weights)
