"""BentoML around a SavedModel of numbers, with adaptive batching."""

import os
from typing import Annotated

import bentoml
import numpy as np
import tensorflow as tf
from bentoml.validators import DType

W = os.environ.get("W", "cpu_count")
B = os.environ.get("BATCH", "1") == "1"


@bentoml.service(workers=W if W == "cpu_count" else int(W))
class Dense:
    def __init__(self) -> None:
        self.loaded = tf.saved_model.load(os.environ["MODEL_DIR"])
        self.signature = self.loaded.signatures["serving_default"]

    @bentoml.api(**({"batchable": True, "max_batch_size": 32, "max_latency_ms": 1000} if B else {}))
    def predict(self, x: Annotated[np.ndarray, DType("float32")]) -> np.ndarray:
        return self.signature(x=tf.constant(x))["y"].numpy()
