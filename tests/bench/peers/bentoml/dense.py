"""BentoML around a SavedModel of numbers, with adaptive batching."""

import os
from typing import Annotated

import bentoml
import numpy as np
import tensorflow as tf
from bentoml.validators import DType


@bentoml.service(workers="cpu_count")
class Dense:
    def __init__(self) -> None:
        self.loaded = tf.saved_model.load(os.environ["MODEL_DIR"])
        self.signature = self.loaded.signatures["serving_default"]

    @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=1000)
    def predict(self, x: Annotated[np.ndarray, DType("float32")]) -> np.ndarray:
        return self.signature(x=tf.constant(x))["y"].numpy()
