"""The SHA-256 sums of a version folder, so that a damaged or half-copied one is never served."""

import hashlib
import json
from pathlib import Path
from typing import Final

from roadworthy.serving.errors import ServeError

MANIFEST_FILE: Final = "manifest.json"


def write_manifest(version_dir: Path) -> None:
    """Writes `manifest.json` into a version folder: the SHA-256 sum of every other file, by relative path.

    Raises:
        ServeError: the folder holds a symbolic link.
        OSError: a file can't be read or the manifest can't be written.
    """
    (version_dir / MANIFEST_FILE).write_text(manifest(version_dir))


def manifest(version_dir: Path) -> str:
    """The text of a version folder's manifest, as its files are now.

    Raises:
        ServeError: the folder holds a symbolic link.
        OSError: a file can't be read.
    """
    return json.dumps({"sha256": _sums(version_dir)}, indent=2) + "\n"


def verify_manifest(version_dir: Path) -> None:
    """Checks every file of a version folder against its manifest.

    Raises:
        ServeError: the manifest is missing or unreadable, or a file differs, is missing or is extra; the message
            names the first such file.
    """
    expected = _read(version_dir / MANIFEST_FILE)
    try:
        found = _sums(version_dir)
    except OSError as error:
        raise ServeError(f"{version_dir} must be readable. Received: {error}") from error
    for path in sorted(expected.keys() | found.keys()):
        if expected.get(path) != found.get(path):
            raise ServeError(
                f"{version_dir / path} must be as {MANIFEST_FILE} lists it. Received: "
                f"{_difference(expected.get(path), found.get(path))}. Publish the version again."
            )


def digest(version_dir: Path) -> str:
    """One SHA-256 sum over the paths and contents of a version folder, its manifest left out; 64 hex digits.

    Raises:
        ServeError: the folder holds a symbolic link.
        OSError: a file can't be read.
    """
    return hashlib.sha256(json.dumps(_sums(version_dir)).encode()).hexdigest()


def _sums(version_dir: Path) -> dict[str, str]:
    sums = {}
    for path in sorted(version_dir.rglob("*")):
        # A link's target can change, or lie outside the folder, behind the manifest's back.
        if path.is_symlink():
            raise ServeError(f"{path} must be a file or folder. Received: a symbolic link.")
        name = path.relative_to(version_dir).as_posix()
        if path.is_file() and name != MANIFEST_FILE:
            sums[name] = _sha256(path)
    return sums


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> dict[str, str]:
    try:
        sums = json.loads(path.read_text())["sha256"]
        return {str(name): str(value) for name, value in sums.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ServeError(f"{path} must be a manifest written by Roadworthy. Received: {error!r}") from error


def _difference(expected: str | None, found: str | None) -> str:
    if found is None:
        return "no such file"
    return "a file that is not listed" if expected is None else "other contents"
