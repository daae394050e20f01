import dataclasses

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from roadworthy.models.compression.kernels import layers_with_kernel
from roadworthy.models.compression.litert import litert
from roadworthy.models.compression.recipe import LiteRT, Step


def test_the_file_computes_as_the_model_does(parent, bench):
    batch = next(bench.images.batches().as_numpy_iterator())[0][:1]
    interpreter = Interpreter(model_content=litert(parent, LiteRT(), bench).litert)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], batch)
    interpreter.invoke()
    scores = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(scores, parent(batch, training=False), atol=1e-5)
    assert {detail["dtype"] for detail in interpreter.get_tensor_details()} <= {np.float32, np.int32}
    assert pytest.approx(1, abs=1e-5) == scores.sum()


def test_clusters_that_the_converter_takes_apart_are_told(parent, bench):
    for path in ("backbone/stem/conv", "backbone/project"):
        kernel = layers_with_kernel(parent)[path].kernel
        kernel.assign(np.sign(kernel.numpy()) * 0.25)
    clustered = (Step.model_validate({"cluster": {"clusters": 2}}),)
    made = litert(parent, LiteRT(), dataclasses.replace(bench, earlier=clustered))
    (note,) = made.notes
    assert "backbone/stem/conv (" in note
    assert "for 2)" in note
    assert "project" not in note
