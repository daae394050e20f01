"""Weights of a whole network from a file that Keras wrote."""

import warnings
from pathlib import Path

import keras
import numpy as np

from roadworthy.serving.errors import WeightsError


def load_keras_weights(model: keras.Model, path: Path) -> None:
    """Loads a `.weights.h5` file that was saved from the same architecture; it must set every weight.

    Raises:
        WeightsError: the file is not a weights file, or one of another architecture.
    """
    if not path.name.endswith(".h5"):
        raise WeightsError(f"A Keras weights file must end in .weights.h5. Received: {path}.")
    floats = [weight for weight in model.weights if "float" in weight.dtype]
    # Keras only warns of weights it leaves as they were, and warns of whole files too: what is still NaN was left.
    for weight in floats:
        weight.assign(np.full(weight.shape, np.nan))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            model.load_weights(str(path))
    except (ValueError, KeyError, OSError, AttributeError) as error:
        raise WeightsError(f"{path} must hold the weights of {model.name}. Received: {error}") from error
    if left := [weight.path for weight in floats if np.isnan(weight.numpy()).any()]:
        raise WeightsError(f"{path} must hold all weights of {model.name}. Missing or NaN: {', '.join(left[:5])}.")
