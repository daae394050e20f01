"""A model root as TF Serving reads it: MODEL_ROOT/<name>/<version>/, versions whole or not there at all."""

import contextlib
import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from roadworthy.serving.contract import LITERT_FILE, SAVED_MODEL_FILE
from roadworthy.serving.errors import DeployError, ServeError
from roadworthy.serving.manifest import digest, write_manifest

MODEL_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_ASIDE_PREFIX: Final = ".pushing-"
_INT64_MAX: Final = 2**63 - 1


@dataclass(frozen=True)
class Published:
    """Where a version is now; `already` says that the same files were the latest version before."""

    path: Path
    version: int
    already: bool


def publish(version_dir: Path, *, model_root: Path, name: str) -> Published:
    """Copies an exported model to MODEL_ROOT/<name>/<latest + 1>/, in one step for whoever watches.

    Args:
        version_dir: a SavedModel or LiteRT version folder.
        model_root: folder of models; made when missing.
        name: name clients will ask for: letters, digits, `_`, `.` and `-`, at most 128.

    Returns:
        The new version, or the latest one when its files are the same.

    Raises:
        DeployError: not a version folder, an unfit name, or the copy failed; nothing of it is left behind.
    """
    check_push(version_dir, name)
    model_dir = model_root / name
    try:
        with _locked(model_dir):
            return _publish_locked(version_dir, model_dir)
    except OSError as error:
        raise DeployError(
            f"{model_dir} must take a new version of {name}. Received: {error}. Nothing was pushed; "
            "make room or access there and push again."
        ) from error
    except ServeError as error:
        raise DeployError(str(error)) from error


def versions(model_dir: Path) -> list[int]:
    """The versions in a model's folder, ascending; folders whose name is not an int64 >= 0 are skipped."""
    return sorted(version_dirs(model_dir))


def version_dirs(model_dir: Path) -> dict[int, Path]:
    """The folder of each version of a model; empty when the model's folder is missing."""
    try:
        children = [child for child in model_dir.iterdir() if child.is_dir()]
    except FileNotFoundError:
        return {}
    return {
        int(child.name): child
        for child in children
        if re.fullmatch("[0-9]{1,19}", child.name) and int(child.name) <= _INT64_MAX
    }


def check_push(version_dir: Path, name: str) -> None:
    """Refuses what no server could serve.

    Raises:
        DeployError: not a version folder, or an unfit name.
    """
    if not MODEL_NAME.fullmatch(name):
        raise DeployError(
            "A model's name must be letters, digits, _, . and -, and start with none of the last two. "
            f"Received: {name!r}."
        )
    check_version(version_dir)


def check_version(version_dir: Path) -> None:
    """Refuses a folder that holds no model.

    Raises:
        DeployError: not a version folder.
    """
    if not any((version_dir / file).is_file() for file in (SAVED_MODEL_FILE, LITERT_FILE)):
        raise DeployError(
            f"{version_dir} must be an exported model with {SAVED_MODEL_FILE} or {LITERT_FILE}. Received: neither."
        )


@contextlib.contextmanager
def _locked(model_dir: Path) -> Iterator[None]:
    """One push a model at a time; the folder itself is the lock, so a killed push leaves no lock behind."""
    model_dir.mkdir(parents=True, exist_ok=True)
    folder = os.open(model_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
        os.fsync(folder)
    finally:
        os.close(folder)
        # A first push that failed leaves no model's folder; a folder with versions refuses this.
        with contextlib.suppress(OSError):
            model_dir.rmdir()


def _publish_locked(version_dir: Path, model_dir: Path) -> Published:
    for stale in model_dir.glob(f"{_ASIDE_PREFIX}*"):
        shutil.rmtree(stale)
    pushed = version_dirs(model_dir)
    latest = max(pushed, default=0)
    source = digest(version_dir)
    if pushed and digest(pushed[latest]) == source:
        return Published(pushed[latest], latest, already=True)
    target = model_dir / str(latest + 1)
    _copy_aside_then_rename(version_dir, target, source=source)
    return Published(target, latest + 1, already=False)


def _copy_aside_then_rename(version_dir: Path, target: Path, *, source: str) -> None:
    aside = target.parent / f"{_ASIDE_PREFIX}{uuid.uuid4().hex}"
    try:
        shutil.copytree(version_dir, aside, copy_function=_copy_durably)
        if digest(aside) != source:
            raise DeployError(f"{version_dir} must not change while pushed. Received: other contents. Push it again.")
        write_manifest(aside)
        aside.rename(target)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def _copy_durably(source: str, target: str) -> str:
    """Copies contents to the disk itself, so that a rename never outlives the bytes it points to."""
    with open(source, "rb") as reader, open(target, "wb") as writer:
        shutil.copyfileobj(reader, writer)
        writer.flush()
        os.fsync(writer.fileno())
    return target
