"""Weights files: checked before they are read."""

import hashlib
import warnings
from pathlib import Path

import keras
import numpy as np

from roadworthy.serving.errors import WeightsError


def check_weights_file(path: Path, *, sha256: str | None) -> None:
    """Refuses a weights file that is missing or has another SHA-256 sum than the expected one.

    Args:
        path: the weights file.
        sha256: the expected sum, 64 hexadecimal digits; None takes any.

    Raises:
        WeightsError: the file can't be read, or its sum differs; the message gives both sums.
    """
    try:
        with path.open("rb") as file:
            received = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"The weights file must be readable. Received: {path}: {error.strerror}.") from error
    if sha256 is not None and received != sha256:
        raise WeightsError(
            f"{path} is not the expected weights file. Expected SHA-256: {sha256}. Received: {received}. "
            "Install or download it again, or change weights_sha256 if another file is meant."
        )


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
