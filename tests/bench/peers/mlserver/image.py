"""An MLServer runtime around a SavedModel of images."""

import numpy as np
import tensorflow as tf
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver.utils import get_model_uri


class Image(MLModel):
    async def load(self) -> bool:
        self.loaded = tf.saved_model.load(await get_model_uri(self.settings))
        self.signature = self.loaded.signatures["image_bytes"]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        images = Base64Codec.decode_input(payload.inputs[0])
        scores: np.ndarray = self.signature(image_bytes=tf.constant(images))["scores"].numpy()
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("scores", scores)])
