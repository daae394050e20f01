"""LitServe around a SavedModel of images; one image a request, as its batching wants it."""

import base64
import os
import sys

import litserve as ls
import tensorflow as tf


class Image(ls.LitAPI):
    def setup(self, device: str) -> None:
        self.loaded = tf.saved_model.load(os.environ["MODEL_DIR"])
        self.signature = self.loaded.signatures["image_bytes"]

    def decode_request(self, request: dict) -> bytes:
        return base64.b64decode(request["image"])

    def batch(self, inputs: list[bytes]) -> tf.Tensor:
        return tf.constant(inputs)

    def predict(self, images: tf.Tensor) -> list[list[float]]:
        return self.signature(image_bytes=images)["scores"].numpy().tolist()

    def unbatch(self, output: list[list[float]]) -> list[list[float]]:
        return output

    def encode_response(self, scores: list[float]) -> dict:
        return {"scores": scores}


if __name__ == "__main__":
    api = Image(max_batch_size=16, batch_timeout=0.001)
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=2, fast_queue=True)
    server.run(host="127.0.0.1", port=sys.argv[1], generate_client_file=False, access_log=False)
