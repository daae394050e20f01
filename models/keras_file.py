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
_HDF5: Final = b"\x89HDF\r\n\x1a\n"
# What `zipfile` and `json` raise on bytes that are not a whole archive; RuntimeError is for encrypted ones.
_BROKEN: Final = (
    OSError, ValueError, EOFError, RecursionError, RuntimeError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


# Keras stores its archives as they are; a packed one is no larger inside than this, unless it is made to fill a disk.
_MOST_UNPACKED: Final = 100
_ALWAYS_UNPACKED_BYTES: Final = 2**26


def check_keras_file(path: Path) -> None:
    """Checks that a file is a whole Keras 3 archive without code of its own.

    Raises:
        ModelError: it is missing, damaged, no such archive, grows beyond reason when unpacked, or holds Lambda layers;
            the message says which.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if missing := {_CONFIG, _WEIGHTS} - set(archive.namelist()):
                raise ModelError(f"{path} must be a .keras file. Received: an archive without {', '.join(missing)}.")
            _check_sizes(path, archive)
            if damaged := archive.testzip():
                raise ModelError(f"{path} must be a whole .keras file. Received: one whose {damaged} is damaged.")
            config = json.loads(archive.read(_CONFIG))
    except _BROKEN as error:
        received = "an HDF5 file, Keras's older format" if _is_hdf5(path) else error
        raise ModelError(
            f"{path} must be a whole .keras file. Received: {received}. "
            "Write one with Keras 3: model.save('name.keras')."
        ) from error
    if lambdas := sorted(set(_lambda_names(config))):
        raise ModelError(
            f"{path} must be a .keras file without code of its own. Received: Lambda layers {lambdas}, which are never "
            "run from a file. Write them as keras.ops or as a registered layer, and save the model again."
        )


def _check_sizes(path: Path, archive: zipfile.ZipFile) -> None:
    for member in archive.infolist():
        if member.file_size > max(_ALWAYS_UNPACKED_BYTES, _MOST_UNPACKED * member.compress_size):
            raise ModelError(
                f"{path} must be a .keras file that unpacks to at most {_MOST_UNPACKED} times its size. Received: "
                f"{member.filename} of {member.compress_size} bytes that unpack to {member.file_size}. "
                "Save the model again with Keras."
            )


def _is_hdf5(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_HDF5)) == _HDF5
    except OSError:
        return False


def _lambda_names(config: Any) -> Iterator[str]:
    """The names of the Lambda layers anywhere in a model's config."""
    if isinstance(config, dict):
        if config.get("class_name") == "Lambda":
            yield str(config.get("name") or config.get("config", {}).get("name"))
        config = list(config.values())
    if isinstance(config, list):
        for part in config:
            yield from _lambda_names(part)
