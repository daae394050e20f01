"""The share of exact zeros among an exported model's kernels, counted in its file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from roadworthy.serving.contract import LITERT_FILE, is_litert
from roadworthy.serving.errors import ModelError

Zeros = npt.NDArray[np.bool_]


def measure_sparsity(version_dir: Path) -> float:
    """Share of exact zeros in kernels, in [0, 1]; a quantised weight is zero where it equals its zero point.

    A kernel is a stored float or quantised tensor with at least two axes longer than 1, so that biases, batch norms
    and per-channel constants broadcast to rank 4 do not count. A model without kernels has sparsity 0.

    Args:
        version_dir: a SavedModel, or a folder with `model.tflite`.

    Raises:
        ModelError: the file can't be read, or stores weights in a type that is not known here.
    """
    litert = version_dir / LITERT_FILE
    kernels = _litert_zeros(litert) if litert.is_file() else _checkpoint_zeros(version_dir)
    zeros = weights = 0
    for kernel in kernels:
        zeros += int(np.count_nonzero(kernel))
        weights += kernel.size
    return zeros / weights if weights else 0.0


def _is_kernel(shape: tuple[int, ...]) -> bool:
    return sum(length > 1 for length in shape) > 1


def _checkpoint_zeros(version_dir: Path) -> Iterator[Zeros]:
    """Kernels of a SavedModel's checkpoint; a Keras optimiser's slots may lie beside them."""
    import tensorflow as tf

    try:
        checkpoint = tf.train.load_checkpoint(str(version_dir / "variables" / "variables"))
    except (tf.errors.OpError, ValueError) as error:
        raise ModelError(f"{version_dir} must be a SavedModel with variables. Received: {error}") from error
    types = checkpoint.get_variable_to_dtype_map()
    for name, shape in checkpoint.get_variable_to_shape_map().items():
        if _is_kernel(tuple(shape)) and types[name].is_floating and "optimizer" not in name.lower():
            yield checkpoint.get_tensor(name) == 0


def _litert_zeros(path: Path) -> Iterator[Zeros]:
    from ai_edge_litert import schema_py_generated as schema

    flatbuffer = path.read_bytes()
    if not is_litert(flatbuffer):
        raise ModelError(f"{path} must be a LiteRT model. Received: a file that does not begin as one.")
    model = schema.Model.GetRootAs(flatbuffer)
    seen = set()
    for graph in (model.Subgraphs(i) for i in range(model.SubgraphsLength())):
        for tensor in (graph.Tensors(i) for i in range(graph.TensorsLength())):
            buffer = model.Buffers(tensor.Buffer())
            # Subgraphs may share one buffer; a tensor that is computed has an empty one.
            if tensor.Buffer() not in seen and buffer.DataLength():
                seen.add(tensor.Buffer())
                yield from _constant_zeros(path, tensor, buffer, schema.TensorType)


def _constant_zeros(path: Path, tensor: Any, buffer: Any, types: Any) -> Iterator[Zeros]:
    shape = tuple(int(length) for length in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
    index_types = {types.INT32, types.INT64, types.BOOL, types.STRING, types.RESOURCE, types.VARIANT}
    if not _is_kernel(shape) or tensor.Type() in index_types:
        return
    weight_types = {types.FLOAT32: "<f4", types.FLOAT16: "<f2", types.INT8: "i1", types.UINT8: "u1", types.INT16: "<i2"}
    if tensor.Type() not in weight_types:
        raise ModelError(
            f"{path}: {tensor.Name().decode()} must store its weights as one of float32, float16, int8, uint8, int16 "
            f"for its zeros to be counted. Received: type {tensor.Type()} of the LiteRT schema."
        )
    weights = buffer.DataAsNumpy().view(weight_types[tensor.Type()]).reshape(shape)
    yield weights == _zero_points(tensor, len(shape))


def _zero_points(tensor: Any, rank: int) -> npt.NDArray[np.int64]:
    """Zero points of a tensor, shaped to broadcast along its quantised axis; 0 where there are none."""
    quantization = tensor.Quantization()
    if quantization is None or not quantization.ZeroPointLength():
        return np.zeros((), np.int64)
    points: npt.NDArray[np.int64] = quantization.ZeroPointAsNumpy()
    axes = [1] * rank
    axes[quantization.QuantizedDimension()] = points.size
    return points.reshape(axes)
