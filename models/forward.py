"""A model's forward pass as one graph: an eager one pays for every operation and holds every activation to its end."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf


def forward(model: Any) -> Callable[[np.ndarray], np.ndarray]:
    """A model's answers when it infers; weights that change later count.

    Args:
        model: of either Keras, built, with one input.

    Returns:
        From the input, with any batch size, to the output.
    """
    images = tf.TensorSpec((None, *model.input_shape[1:]), model.inputs[0].dtype)
    answer = tf.function(lambda batch: model(batch, training=False), input_signature=[images])
    return lambda batch: np.asarray(answer(batch))
