"""A model root in a bucket, where nothing can be renamed: a version counts from when its manifest is there.

Objects of a version are written one after another, `saved_model.pb` or `model.tflite` after all they refer to, and
`manifest.json` last. A version without a manifest is a push that was cut off: its number is not used again, and nobody
here takes it for a version. A TensorFlow Serving that looks in between finds no graph and looks again later.
"""

import os
import re
from pathlib import Path
from typing import Final

import tensorflow as tf
from tfx.dsl.io import fileio

from roadworthy.components.pushers.claim import claim
from roadworthy.components.pushers.pushed import Pushed
from roadworthy.serving.contract import LITERT_FILE, SAVED_MODEL_FILE
from roadworthy.serving.errors import DeployError, ServeError
from roadworthy.serving.manifest import MANIFEST_FILE, manifest
from roadworthy.serving.repository import check_push

REMOTE: Final = "://"
_AFTER_THE_REST: Final = (SAVED_MODEL_FILE, LITERT_FILE)


def publish_remote(version_dir: Path, *, model_root: str, name: str) -> Pushed:
    """Copies an exported model to MODEL_ROOT/<name>/<latest + 1>/ in a bucket.

    Of two pushes of one model at the same time each gets a version of its own on Cloud Storage (`claim`); on other file
    systems that is for the runner to prevent.

    Args:
        version_dir: a SavedModel or LiteRT version folder of this machine.
        model_root: folder of models, such as gs://my-bucket/served.
        name: name clients will ask for.

    Returns:
        The new version, or the latest one when its files are the same.

    Raises:
        DeployError: not a version folder, an unfit name, or the copy failed; no manifest of it is there.
    """
    check_push(version_dir, name)
    try:
        return _publish(version_dir, model_root, name)
    except ServeError as error:
        raise DeployError(str(error)) from error
    except (OSError, tf.errors.OpError) as error:
        raise DeployError(
            f"{model_root} must take a new version of {name}. Received: {error}. Nothing was published; look at the "
            "bucket's permissions and push again."
        ) from error


def latest_version(model_root: str, name: str) -> str | None:
    """The folder of a model's latest whole version, on this machine or in a bucket; None before the first push."""
    model_dir = f"{model_root.rstrip('/')}/{name}"
    whole = [number for number in _numbers(model_dir) if fileio.exists(f"{model_dir}/{number}/{MANIFEST_FILE}")]
    return f"{model_dir}/{max(whole)}" if whole else None


def _publish(version_dir: Path, model_root: str, name: str) -> Pushed:
    latest, text = latest_version(model_root, name), manifest(version_dir)
    if latest is not None and _read(f"{latest}/{MANIFEST_FILE}") == text:
        return Pushed(path=latest, version=int(os.path.basename(latest)), already=True)
    model_dir = f"{model_root.rstrip('/')}/{name}"
    number = _next_number(model_dir)
    _upload(version_dir, f"{model_dir}/{number}", text)
    return Pushed(path=f"{model_dir}/{number}", version=number)


def _next_number(model_dir: str) -> int:
    """The first one after all versions that no other push has."""
    number = max(_numbers(model_dir), default=0) + 1
    while not claim(model_dir, number):
        number += 1
    return number


def _upload(version_dir: Path, target: str, text: str) -> None:
    files = [path.relative_to(version_dir).as_posix() for path in version_dir.rglob("*") if path.is_file()]
    for name in sorted(files, key=lambda name: (name in _AFTER_THE_REST, name)):
        fileio.makedirs(os.path.dirname(f"{target}/{name}"))
        fileio.copy(str(version_dir / name), f"{target}/{name}", overwrite=True)
    with fileio.open(f"{target}/{MANIFEST_FILE}", "w") as file:
        file.write(text)


def _numbers(model_dir: str) -> list[int]:
    """The numbers below a model's folder, whole versions or not."""
    if not fileio.isdir(model_dir):
        return []
    names = [os.path.basename(str(name).rstrip("/")) for name in fileio.listdir(model_dir)]
    return [int(name) for name in names if re.fullmatch("[0-9]{1,19}", name)]


def _read(path: str) -> str:
    with fileio.open(path) as file:
        return str(file.read())
