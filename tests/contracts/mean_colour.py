"""A LiteRT classifier of 532 bytes, made without TensorFlow: which of red, green and blue an image has most."""

from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from roadworthy.serving.contract import LITERT_FILE, ModelCard

SIDE = 8
CARD = ModelCard(labels=("red", "green", "blue"), image_height=SIDE, image_width=SIDE)


def write_mean_colour(folder: Path) -> Path:
    """Writes a version folder: the mean of every channel, through a softmax, is the score."""
    folder.mkdir(parents=True)
    (folder / LITERT_FILE).write_bytes(mean_colour())
    CARD.write(folder)
    return folder


def mean_colour() -> bytes:
    """The model: float32[1, 8, 8, 3] to float32[1, 3] by MEAN and SOFTMAX."""
    axes = np.array([1, 2], np.int32)
    graph = schema.SubGraphT()
    graph.tensors = [
        _tensor("image", [1, SIDE, SIDE, 3]),
        _tensor("axes", [2], buffer=1, kind=schema.TensorType.INT32),
        _tensor("means", [1, 3]),
        _tensor("scores", [1, 3]),
    ]
    reducer, softmax = schema.ReducerOptionsT(), schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    graph.operators = [
        _operator(0, [0, 1], [2], schema.BuiltinOptions.ReducerOptions, reducer),
        _operator(1, [2], [3], schema.BuiltinOptions.SoftmaxOptions, softmax),
    ]
    graph.inputs, graph.outputs = [0], [3]
    model = schema.ModelT()
    model.version = 3
    model.operatorCodes = [_code(schema.BuiltinOperator.MEAN), _code(schema.BuiltinOperator.SOFTMAX)]
    model.subgraphs = [graph]
    model.buffers = [schema.BufferT(), schema.BufferT()]
    model.buffers[1].data = axes.view(np.uint8)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _tensor(name, shape, *, buffer=0, kind=schema.TensorType.FLOAT32):
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer, tensor.type = name, shape, buffer, kind
    return tensor


def _operator(code, inputs, outputs, options_type, options):
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, inputs, outputs
    operator.builtinOptionsType, operator.builtinOptions = options_type, options
    return operator


def _code(number):
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = number, number, 1
    return code
