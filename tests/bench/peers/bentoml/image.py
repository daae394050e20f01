"""BentoML around a SavedModel of images, with adaptive batching."""

import base64
import os

import bentoml
import tensorflow as tf


@bentoml.service(workers="cpu_count")
class Image:
    def __init__(self) -> None:
        self.loaded = tf.saved_model.load(os.environ["MODEL_DIR"])
        self.signature = self.loaded.signatures["image_bytes"]

    @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=1000)
    def predict(self, images: list[str]) -> list[list[float]]:
        decoded = [base64.b64decode(image) for image in images]
        return self.signature(image_bytes=tf.constant(decoded))["scores"].numpy().tolist()
