"""Keras 3 -> tf_keras, the seam that TF-MOT needs."""
