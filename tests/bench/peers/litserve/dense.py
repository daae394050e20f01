"""LitServe around a SavedModel of numbers; one row a request, as its batching wants it."""

import os
import sys

import litserve as ls
import numpy as np
import tensorflow as tf


class Dense(ls.LitAPI):
    def setup(self, device: str) -> None:
        self.loaded = tf.saved_model.load(os.environ["MODEL_DIR"])
        self.signature = self.loaded.signatures["serving_default"]

    def decode_request(self, request: dict) -> np.ndarray:
        return np.asarray(request["x"], np.float32)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.signature(x=tf.constant(rows))["y"].numpy()

    def encode_response(self, row: np.ndarray) -> dict:
        return {"y": row.tolist()}


if __name__ == "__main__":
    api = Dense(max_batch_size=16, batch_timeout=0.001)
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=2, fast_queue=True)
    server.run(host="127.0.0.1", port=sys.argv[1], generate_client_file=False, access_log=False)
