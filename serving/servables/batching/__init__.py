"""Requests that come at once, answered together by TensorFlow's own batch scheduler."""
