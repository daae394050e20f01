"""An MLServer runtime around a SavedModel of numbers."""

import numpy as np
import tensorflow as tf
from mlserver import MLModel
from mlserver.codecs import decode_args
from mlserver.utils import get_model_uri


class Dense(MLModel):
    async def load(self) -> bool:
        self.loaded = tf.saved_model.load(await get_model_uri(self.settings))
        self.signature = self.loaded.signatures["serving_default"]
        return True

    @decode_args
    async def predict(self, x: np.ndarray) -> np.ndarray:
        return self.signature(x=tf.constant(x))["y"].numpy()
