"""A client of any server with TF Serving's API; numpy in and out, no TensorFlow."""

from roadworthy.serving.client.client import Client, Prediction

__all__ = ["Client", "Prediction"]
