"""A version folder as the server finds it: whether it is where it should be, and whether it still changes."""

import os
from collections.abc import Callable
from pathlib import Path

from roadworthy.serving.contract import LITERT_FILE
from roadworthy.serving.errors import ServeError
from roadworthy.serving.manifest import MANIFEST_FILE
from roadworthy.serving.servables.base import Servable
from roadworthy.serving.servables.litert_trial import try_out
from roadworthy.serving.servables.open import open_servable

Stamp = frozenset[tuple[str, int, int]]


def load(version_dir: Path, *, open_version: Callable[[Path], Servable] = open_servable) -> Servable:
    """Opens a version folder that may hold anything, and may change meanwhile.

    Without a manifest nothing tells a whole folder from one that is still being copied but that it stays as it is, and
    nothing vouches for a LiteRT file, so that one is tried out first.

    Args:
        version_dir: the folder.
        open_version: loads what is in it.

    Raises:
        ServeError: the folder or something in it is really somewhere else, changes while it is loaded, or can't be
            loaded.
    """
    check_place(version_dir)
    if (version_dir / MANIFEST_FILE).exists():
        return open_version(version_dir)
    before = stamp_of(version_dir)
    if (version_dir / LITERT_FILE).is_file():
        try_out(version_dir / LITERT_FILE)
    servable = open_version(version_dir)
    if stamp_of(version_dir) != before:
        servable.close()
        raise ServeError(f"{version_dir} must not change while it is loaded. Received: other files than before.")
    return servable


def check_place(version_dir: Path) -> None:
    """Refuses what is really somewhere else: whoever may write a link must not choose what is loaded.

    Raises:
        ServeError: the folder is a link out of its model's, or something in it a link out of the folder.
    """
    real = version_dir.resolve()
    if real.parent != version_dir.parent.resolve():
        raise ServeError(
            f"{version_dir} must be a folder of its model. Received: a link to {real}. Push the version itself."
        )
    for path in _links(real):
        if not path.resolve().is_relative_to(real):
            raise ServeError(
                f"{path} must be within its version. Received: a link to {path.resolve()}. Push the file itself."
            )


def stamp_of(version_dir: Path) -> Stamp:
    """Path, size and time of change of everything in a folder; what can't be looked at is left out."""
    found = set()
    for folder, _, files in os.walk(version_dir):
        for path in (folder, *(os.path.join(folder, file) for file in files)):
            try:
                told = os.stat(path)
            except OSError:
                continue
            found.add((path, told.st_size, told.st_mtime_ns))
    return frozenset(found)


def _links(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_symlink()]
