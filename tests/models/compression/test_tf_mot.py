import os

import tensorflow as tf

from roadworthy.models.compression.tf_mot import load_tf_mot


def test_tf_mot_has_its_keras_and_the_rest_of_the_process_keeps_its_own():
    load_tf_mot()
    from tensorflow_model_optimization.python.core.keras.compat import keras

    assert keras.__name__ == "tf_keras"
    assert tf.keras.__version__.startswith("3.")
    assert "TF_USE_LEGACY_KERAS" not in os.environ
