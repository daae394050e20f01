"""The kernels of an exported model, counted in its file: zeros, and different values."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from roadworthy.models.measure.results import LayerWeights
from roadworthy.serving.contract import LITERT_FILE, SAVED_MODEL_FILE, is_litert
from roadworthy.serving.errors import ModelError

_OBJECT_GRAPH: Final = "_CHECKPOINTABLE_OBJECT_GRAPH"


def measure_layers(version_dir: Path) -> tuple[LayerWeights, ...]:
    """Counts what the kernels of a model hold.

    A kernel is a stored float or quantised tensor with at least two axes longer than 1, so that biases, batch norms
    and per-channel constants broadcast to rank 4 do not count. A quantised weight is zero where it equals its zero
    point. Kernels are those of a SavedModel's checkpoint, the constants of its graph if it was frozen, or a LiteRT
    file's constants.

    Args:
        version_dir: a SavedModel, or a folder with `model.tflite`.

    Raises:
        ModelError: the file can't be read, or stores weights in a type that is not known here.
    """
    litert = version_dir / LITERT_FILE
    if litert.is_file():
        return tuple(_litert_kernels(litert))
    return (*_checkpoint_kernels(version_dir), *_constant_kernels(version_dir))


def sparsity_of(layers: Sequence[LayerWeights]) -> float:
    """Share of zeros among all kernels' weights, in [0, 1]; 0 where there are no kernels."""
    weights = sum(layer.weights for layer in layers)
    return sum(layer.zeros for layer in layers) / weights if weights else 0.0


def _is_kernel(shape: tuple[int, ...]) -> bool:
    return sum(length > 1 for length in shape) > 1


def _count(name: str, values: npt.NDArray[Any], *, channel_axis: int, zero_points: npt.NDArray[Any]) -> LayerWeights:
    by_channel = np.moveaxis(values, channel_axis, 0).reshape(values.shape[channel_axis], -1)
    ordered = np.sort(by_channel, axis=1)
    unique_per_channel = 1 + int(np.count_nonzero(np.diff(ordered, axis=1), axis=1).max(initial=0))
    return LayerWeights(
        name=name,
        shape=values.shape,
        dtype=str(values.dtype),
        weights=values.size,
        zeros=int(np.count_nonzero(values == zero_points)),
        unique=len(np.unique(values)),
        unique_per_channel=unique_per_channel,
    )


def _checkpoint_kernels(version_dir: Path) -> Iterator[LayerWeights]:
    """Kernels of a SavedModel's checkpoint; a Keras optimiser's slots may lie beside them."""
    import tensorflow as tf

    if not (version_dir / SAVED_MODEL_FILE).is_file():
        raise ModelError(f"{version_dir} must be a SavedModel with variables. Received: no {SAVED_MODEL_FILE} in it.")
    prefix = version_dir / "variables" / "variables"
    # A frozen model may have none.
    if not prefix.with_suffix(".index").exists():
        return
    try:
        checkpoint = tf.train.load_checkpoint(str(prefix))
    except (tf.errors.OpError, ValueError) as error:
        raise ModelError(f"{version_dir} must be a SavedModel with variables. Received: {error}") from error
    types, names = checkpoint.get_variable_to_dtype_map(), _variable_names(checkpoint)
    for key, shape in checkpoint.get_variable_to_shape_map().items():
        if _is_kernel(tuple(shape)) and types[key].is_floating and "optimizer" not in key.lower():
            values = checkpoint.get_tensor(key)
            yield _count(names.get(key, key), values, channel_axis=-1, zero_points=np.zeros((), np.float32))


def _variable_names(checkpoint: Any) -> dict[str, str]:
    """The variables' own names, such as `stem_conv/kernel`, by their keys in the checkpoint."""
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    if not checkpoint.has_tensor(_OBJECT_GRAPH):
        return {}
    graph = TrackableObjectGraph.FromString(checkpoint.get_tensor(_OBJECT_GRAPH))
    return {
        attribute.checkpoint_key: attribute.full_name
        for node in graph.nodes
        for attribute in node.attributes
        if attribute.full_name
    }


def _constant_kernels(version_dir: Path) -> Iterator[LayerWeights]:
    """Kernels that freezing made constants of the graph; both signatures may hold the same one."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
    from tensorflow.python.framework import tensor_util

    saved = SavedModel.FromString((version_dir / SAVED_MODEL_FILE).read_bytes())
    seen: set[bytes] = set()
    for meta_graph in saved.meta_graphs:
        graph = meta_graph.graph_def
        for node in (*graph.node, *(node for function in graph.library.function for node in function.node_def)):
            shape = (
                tuple(axis.size for axis in node.attr["value"].tensor.tensor_shape.dim) if node.op == "Const" else ()
            )
            if not _is_kernel(shape):
                continue
            values = tensor_util.MakeNdarray(node.attr["value"].tensor)
            content = node.attr["value"].tensor.tensor_content
            if values.dtype.kind == "f" and content not in seen:
                seen.add(content)
                yield _count(node.name, values, channel_axis=-1, zero_points=np.zeros((), np.float32))


def _litert_kernels(path: Path) -> Iterator[LayerWeights]:
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
                yield from _litert_kernel(path, tensor, buffer, schema.TensorType)


def _litert_kernel(path: Path, tensor: Any, buffer: Any, types: Any) -> Iterator[LayerWeights]:
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
    values = buffer.DataAsNumpy().view(weight_types[tensor.Type()]).reshape(shape)
    points = _zero_points(tensor, len(shape))
    # Convolutions keep their output channels first, depthwise ones, whose first axis is 1, last.
    axis = 0 if shape[0] > 1 else -1
    yield _count(_readable(tensor.Name().decode()), values, channel_axis=axis, zero_points=points)


def _readable(name: str) -> str:
    """A constant's name without the operations the converter folded into it and the scopes they stood in."""
    return name.split(";", maxsplit=1)[0].removeprefix("arith.constant") or name


def _zero_points(tensor: Any, rank: int) -> npt.NDArray[np.int64]:
    """Zero points of a tensor, shaped to broadcast along its quantised axis; 0 where there are none."""
    quantization = tensor.Quantization()
    if quantization is None or not quantization.ZeroPointLength():
        return np.zeros((), np.int64)
    points: npt.NDArray[np.int64] = quantization.ZeroPointAsNumpy()
    axes = [1] * rank
    axes[quantization.QuantizedDimension()] = points.size
    return points.reshape(axes)
