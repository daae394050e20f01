"""Conversion to LiteRT as a model is, in float32."""

import keras

from roadworthy.models.compression.convert import convert, network
from roadworthy.models.compression.made import Bench, Made
from roadworthy.models.compression.recipe import LiteRT


def litert(model: keras.Model, settings: LiteRT, bench: Bench) -> Made:
    """Converts a classifier to a LiteRT model that computes in float32.

    Args:
        model: Keras 3 model from float32 [batch, height, width, channels] in [0, 255] to scores [batch, classes].
        settings: none so far.
        bench: not used.

    Raises:
        ModelError: LiteRT lacks an operator; the message names it.
    """
    return Made(model, litert=convert(network(model, whole_pixels=False), None))
