"""Finds the labelled images of a data folder in a bucket: one folder a class, image files directly in it."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from roadworthy.components.ingest.scan import MAX_FILE_BYTES, MIN_CLASSES, ImageFile, ImageFolder, refuse_few, scan
from roadworthy.serving.errors import DataError

REMOTE: Final = "://"
_NS: Final = 1_000_000_000
_DEPTH: Final = 2


def find_images(root: str) -> ImageFolder:
    """Lists the classes and image files below a data folder, on this machine or in a bucket.

    Raises:
        DataError: as `scan`.
    """
    return scan_bucket(root) if REMOTE in root else scan(Path(root))


def folder_of(base: str, pattern: str) -> str:
    """A folder by its base and the rest of its path; the rest is `.` for the base itself."""
    return base if pattern == "." else os.path.join(base, pattern)


def scan_bucket(root: str) -> ImageFolder:
    """As `scan`, by one listing of everything below the folder, names, sizes and times.

    Args:
        root: such as gs://my-bucket/photos.

    Raises:
        DataError: the folder can't be listed, is empty or without class folders; it has one class only; a class has
            fewer than 2 images; folders lie inside a class folder.
    """
    folder = root.rstrip("/")
    by_class: dict[str, list[ImageFile]] = defaultdict(list)
    for found in _listed(folder):
        parts = found.path.removeprefix(f"{folder}/").split("/")
        if any(part.startswith(".") for part in parts) or not parts[-1] or len(parts) < _DEPTH:
            continue
        _refuse_deeper(folder, parts)
        by_class[parts[0]].append(_image("/".join(parts), found))
    labels = tuple(sorted(by_class))
    if len(labels) < MIN_CLASSES:
        received = f"one class only, {labels[0]}" if labels else "no folder with a file in it"
        raise DataError(
            f"{root} must hold one folder of images a class, and at least {MIN_CLASSES} of them. Received: {received}."
        )
    files = tuple(
        ImageFile(file.path, index, file.size_bytes, file.mtime_ns, file.fault)
        for index, label in enumerate(labels)
        for file in sorted(by_class[label], key=lambda file: file.path)
    )
    refuse_few(folder, labels, Counter(file.label for file in files))
    return ImageFolder(folder, labels, files)


def read_image(root: str, path: str) -> bytes:
    """A file of the data folder, whole.

    Raises:
        OSError: it can't be read.
    """
    if REMOTE not in root:
        return Path(root, path).read_bytes()
    with FileSystems.open(os.path.join(root, path)) as file:
        return bytes(file.read())


def _listed(folder: str) -> Iterable[Any]:
    try:
        (matched,) = FileSystems.match([f"{folder}/**"])
    except (BeamIOError, OSError, ValueError) as error:
        raise DataError(f"{folder} must be a folder in a bucket that this user can list. Received: {error}.") from error
    return matched.metadata_list  # type: ignore[no-any-return]


def _refuse_deeper(folder: str, parts: list[str]) -> None:
    if len(parts) > _DEPTH:
        raise DataError(
            f"{folder}/{parts[0]} must hold its images directly. Received: the folder {parts[1]}. "
            "Move its images up, or name as data the folder that holds the classes."
        )


def _image(path: str, found: Any) -> ImageFile:
    size = found.size_in_bytes
    fault = f"{size:,} bytes, more than the {MAX_FILE_BYTES:,} allowed" if size > MAX_FILE_BYTES else None
    return ImageFile(path, 0, size, round((found.last_updated_in_seconds or 0) * _NS), fault)
