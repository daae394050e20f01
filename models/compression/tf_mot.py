"""Imports TF-MOT without what its import does to the rest of the process."""

import os
from types import ModuleType
from typing import Final

import tensorflow as tf

_SWITCH: Final = "TF_USE_LEGACY_KERAS"


def load_tf_mot() -> ModuleType:
    """Imports `tensorflow_model_optimization` and leaves `tf.keras` what it was.

    TF-MOT 0.8.1 sets TF_USE_LEGACY_KERAS when imported, which would turn a `tf.keras` that nobody has touched yet into
    tf_keras for TFX and everyone else, and for child processes. TF-MOT itself finds tf_keras either way.
    """
    before = os.environ.get(_SWITCH)
    # `tf.keras` decides which Keras it is at its first use, so that has to come before the switch is thrown.
    tf.keras.layers  # noqa: B018
    import tensorflow_model_optimization as tf_mot

    if before is None:
        os.environ.pop(_SWITCH, None)
    else:
        os.environ[_SWITCH] = before
    module: ModuleType = tf_mot
    return module
