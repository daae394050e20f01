"""Looks into a `.keras` file without Keras, so that a wrong one is refused before anything heavy starts."""

import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from roadworthy.serving.errors import ModelError

_CONFIG: Final = "config.json"
_WEIGHTS: Final = "model.weights.h5"
# What `zipfile` and `json` raise on bytes that are not a whole archive; RuntimeError is for encrypted ones.
_BROKEN: Final = (
    OSError, ValueError, EOFError, RecursionError, RuntimeError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def check_keras_file(path: Path) -> None:
    """Checks that a file is a whole Keras 3 archive without code of its own.

    Raises:
        ModelError: it is missing, damaged, no such archive, or holds Lambda layers; the message says which.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if missing := {_CONFIG, _WEIGHTS} - set(archive.namelist()):
                raise ModelError(f"{path} must be a .keras file. Received: an archive without {', '.join(missing)}.")
            if damaged := archive.testzip():
                raise ModelError(f"{path} must be a whole .keras file. Received: one whose {damaged} is damaged.")
            config = json.loads(archive.read(_CONFIG))
    except _BROKEN as error:
        raise ModelError(f"{path} must be a whole .keras file. Received: {error}.") from error
    if lambdas := sorted(set(_lambda_names(config))):
        raise ModelError(
            f"{path} must be a .keras file without code of its own. Received: Lambda layers {lambdas}, which are never "
            "run from a file. Write them as keras.ops or as a registered layer, and save the model again."
        )


def _lambda_names(config: Any) -> Iterator[str]:
    """The names of the Lambda layers anywhere in a model's config."""
    if isinstance(config, dict):
        if config.get("class_name") == "Lambda":
            yield str(config.get("name") or config.get("config", {}).get("name"))
        config = list(config.values())
    if isinstance(config, list):
        for part in config:
            yield from _lambda_names(part)
