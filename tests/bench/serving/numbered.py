"""Many versions of one SavedModel that tell their number, made by changing one constant of its graph."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import keras
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

# Nothing else in the graph has this value.
_PLACEHOLDER: Final = 987654.0


def write_numbered(model: keras.Model, folder: Path, *, count: int) -> None:
    """Writes versions 1 to `count` of a model from float32 [batch, features], with an output `version` [batch]."""
    aside = folder.with_name(f"{folder.name}-aside")
    shutil.rmtree(aside, ignore_errors=True)
    archive = keras.export.ExportArchive()
    spec = tf.TensorSpec(model.input_shape, tf.float32, name="x")

    def answer(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": model(x), "version": tf.fill([tf.shape(x)[0]], tf.constant(_PLACEHOLDER))}

    archive.add_endpoint("serving_default", answer, [spec])
    archive.write_out(str(aside / "0"), verbose=False)
    graph = SavedModel.FromString((aside / "0" / "saved_model.pb").read_bytes())
    (constant,) = (node for node in _nodes(graph) if _is_placeholder(node))
    for version in range(1, count + 1):
        constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(float(version)))
        shutil.copytree(aside / "0", aside / str(version))
        (aside / str(version) / "saved_model.pb").write_bytes(graph.SerializeToString())
    shutil.rmtree(aside / "0")
    aside.rename(folder)


def _nodes(graph: SavedModel) -> Iterator[Any]:
    for meta in graph.meta_graphs:
        yield from meta.graph_def.node
        for function in meta.graph_def.library.function:
            yield from function.node_def


def _is_placeholder(node: Any) -> bool:
    return node.op == "Const" and tf.make_ndarray(node.attr["value"].tensor).tolist() == _PLACEHOLDER
