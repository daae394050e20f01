"""Gives all channels of a clustered kernel one scale in a LiteRT file, so that a cluster is one int8 value.

The converter scales every channel by its own largest weight. Sixteen values of a kernel become sixteen others in each
channel then, and the file compresses as if it had not been clustered.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from roadworthy.models.compression.rounding import INT8_MAX

_OPERATORS: Final = frozenset({schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.FULLY_CONNECTED})
_BIASES: Final = {schema.TensorType.INT32: np.int32, schema.TensorType.INT64: np.int64}
# Half a step of rounding, and what float32 adds to it.
_ROUNDING: Final = 0.501


class _Layer(NamedTuple):
    """What a kernel's operator holds of it, as views that write into the file.

    Attributes:
        weights: int8 [channels, weights a channel].
        scales: of the weights, float32 [channels].
        bias: int32 or int64 [channels]; None without one, or with one in float.
        bias_scales: float32 [channels]; None where bias is.
        bias_is_shared: whether another operator reads the same bytes.
    """

    weights: np.ndarray
    scales: np.ndarray
    bias: np.ndarray | None
    bias_scales: np.ndarray | None
    bias_is_shared: bool


def share_scales(flatbuffer: bytes, kernels: Sequence[np.ndarray]) -> bytes:
    """Moves kernels that lie on one grid of 255 levels onto that grid, which is coarser than the channels' own.

    What the file computes stays the same but for the rounding of biases, to a step that is coarser by as much. A kernel
    that the file does not have channel by channel, or whose bias another operator reads too, is left as it is.

    Args:
        flatbuffer: a LiteRT model with int8 weights, and activations of int8, int16 or float32.
        kernels: of the model it was converted from, float32 [channels, weights a channel]; each of multiples of the
            127th part of its largest weight.

    Returns:
        The file, of the same length.
    """
    content = bytearray(flatbuffer)
    layers = list(_layers(schema.Model.GetRootAs(content)))
    for kernel in kernels:
        grid = _grid(kernel)
        layer = next((layer for layer in layers if _fits(grid, layer)), None)
        if layer is not None:
            _move(layer, grid)
    return bytes(content)


def _grid(kernel: np.ndarray) -> np.ndarray:
    largest = np.abs(kernel.astype(np.float64)).max() or 1.0
    return np.round(kernel / largest * INT8_MAX)


def _fits(grid: np.ndarray, layer: _Layer) -> bool:
    """Whether a file's weights are those of the grid, each channel scaled to its largest weight and maybe negated."""
    if layer.weights.shape != grid.shape or len(layer.scales) != len(grid):
        return False
    stretched = grid * (INT8_MAX / _largest(grid))[:, None]
    return bool(np.all(np.abs(stretched * _signs(grid, layer)[:, None] - layer.weights) <= _ROUNDING))


def _move(layer: _Layer, grid: np.ndarray) -> None:
    stretch = INT8_MAX / _largest(grid)
    if layer.bias is not None and layer.bias_scales is not None:
        bias = np.round(layer.bias / stretch).astype(layer.bias.dtype)
        if layer.bias_is_shared and np.any(bias != layer.bias):
            return
        layer.bias[:] = bias
        layer.bias_scales[:] *= stretch.astype(np.float32)
    layer.weights[:] = grid * _signs(grid, layer)[:, None]
    layer.scales[:] *= stretch.astype(np.float32)


def _largest(grid: np.ndarray) -> np.ndarray:
    """The largest magnitude of each channel; that of a channel of zeros is taken for one that need not be moved."""
    largest = np.abs(grid).max(axis=1)
    return np.where(largest == 0, INT8_MAX, largest)


def _signs(grid: np.ndarray, layer: _Layer) -> np.ndarray:
    """-1 for channels that a batch normalisation of negative gamma turned over, 1 for all others."""
    return np.where(np.sum(grid * layer.weights, axis=1) < 0, -1, 1)


def _layers(model: Any) -> Iterator[_Layer]:
    for graph in (model.Subgraphs(index) for index in range(model.SubgraphsLength())):
        operators = [graph.Operators(index) for index in range(graph.OperatorsLength())]
        reads = [[graph.Tensors(index) for index in operator.InputsAsNumpy() if index >= 0] for operator in operators]
        readers = Counter(tensor.Buffer() for tensors in reads for tensor in tensors)
        for operator, (_, *constants) in zip(operators, reads, strict=True):
            if model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode() in _OPERATORS:
                yield from _layer(model, constants, readers)


def _layer(model: Any, tensors: list[Any], readers: Counter[int]) -> Iterator[_Layer]:
    """The layer of a kernel and maybe a bias; nothing if they are no constants of int8, or the kernel is shared."""
    kernel, *rest = tensors
    data = model.Buffers(kernel.Buffer())
    if kernel.Type() != schema.TensorType.INT8 or not data.DataLength() or readers[kernel.Buffer()] > 1:
        return
    weights = data.DataAsNumpy().view(np.int8).reshape(kernel.Shape(0), -1)
    scales = kernel.Quantization().ScaleAsNumpy()
    if not rest or rest[0].Type() == schema.TensorType.FLOAT32:
        yield _Layer(weights, scales, None, None, bias_is_shared=False)
    elif rest[0].Type() in _BIASES:
        bias = model.Buffers(rest[0].Buffer()).DataAsNumpy().view(_BIASES[rest[0].Type()])
        bias_scales = rest[0].Quantization().ScaleAsNumpy()
        yield _Layer(weights, scales, bias, bias_scales, bias_is_shared=readers[rest[0].Buffer()] > 1)
