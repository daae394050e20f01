"""Finds the labelled images of a data folder: one folder a class, image files directly in it.

Reads names, sizes and times only, no image, so that the driver can tell in a second whether anything changed.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from roadworthy.serving.errors import DataError

MAX_FILE_BYTES: Final = 100_000_000
MIN_CLASSES: Final = 2
MIN_IMAGES_PER_CLASS: Final = 2


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file that is taken to be an image, since it lies in a class folder.

    Attributes:
        path: relative to the data folder, with `/`.
        label: index into the folder's labels.
        size_bytes: size on disk.
        mtime_ns: time of the last change, nanoseconds since 1970.
        fault: why it must not be opened, or None.
    """

    path: str
    label: int
    size_bytes: int
    mtime_ns: int
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """A data folder: `labels` in the order of the label indices, `files` sorted by path within each class."""

    root: Path | str
    labels: tuple[str, ...]
    files: tuple[ImageFile, ...]

    def fingerprint(self) -> str:
        """SHA-256 over the path, size and time of every file, in hex: another one means that something changed.

        TFX's own fingerprint adds up times in whole seconds, so it misses a file moved to another class.
        """
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(os.fsencode(file.path))
            digest.update(f"\0{file.size_bytes}\0{file.mtime_ns}\0".encode())
        return digest.hexdigest()


def scan(root: Path) -> ImageFolder:
    """Lists the classes and image files below a data folder.

    Every file in a class folder whose name has no leading dot is taken to be an image, whatever it is called. Files
    beside the class folders are left alone.

    Args:
        root: folder with one folder a class; the sorted names of those folders are the labels.

    Raises:
        DataError: the folder is missing, empty, or without class folders; it has one class only; a class has fewer
            than 2 images; folders lie inside a class folder, or a class folder is a link that leads out of `root`.
    """
    folder = _existing(root)
    labels = _class_names(folder)
    files = tuple(file for label, name in enumerate(labels) for file in _files_of(folder, name, label))
    refuse_few(folder, labels, Counter(file.label for file in files))
    return ImageFolder(folder, labels, files)


def refuse_few(folder: Path | str, labels: Sequence[str], counts: Mapping[int, int]) -> None:
    """Stops when a class has so few images that none would be left to test on.

    Raises:
        DataError: names the first such class.
    """
    for label, name in enumerate(labels):
        if counts.get(label, 0) < MIN_IMAGES_PER_CLASS:
            raise DataError(
                f"{folder}/{name} must hold at least {MIN_IMAGES_PER_CLASS} images, so that some are left to test on. "
                f"Received: {counts.get(label, 0)}. Add images or remove the folder."
            )


def _existing(root: Path) -> Path:
    if not root.is_dir():
        found = "a file" if root.exists() else "no such folder"
        raise DataError(f"{root} must be a folder with one folder of images a class. Received: {found}.")
    return root.resolve()


def _class_names(folder: Path) -> tuple[str, ...]:
    entries = _entries(folder)
    names = tuple(entry.name for entry in entries if _is_folder(entry))
    if len(names) < MIN_CLASSES:
        found = f"one class only, {names[0]}" if names else ("files, no folder" if entries else "an empty folder")
        raise DataError(
            f"{folder} must hold one folder of images a class, and at least {MIN_CLASSES} of them. Received: {found}."
        )
    for name in names:
        _refuse_class_folder(folder, name)
    return names


def _refuse_class_folder(folder: Path, name: str) -> None:
    if not _leads_inside(folder, folder / name):
        raise DataError(f"{folder / name} must not lead out of the data folder. Received: a link elsewhere; copy it.")
    if not _is_utf8(name):
        raise DataError(f"{folder} must hold class folders named in UTF-8. Received: {name!r}. Rename it.")


def _files_of(folder: Path, class_name: str, label: int) -> Iterator[ImageFile]:
    for entry in _entries(folder / class_name):
        if _is_folder(entry):
            raise DataError(
                f"{folder / class_name} must hold its images directly. Received: the folder {entry.name}. "
                "Move its images up, or name as data the folder that holds the classes."
            )
        fault = _fault(folder, entry)
        stat = entry.stat(follow_symlinks=fault is None)
        yield ImageFile(f"{class_name}/{entry.name}", label, stat.st_size, stat.st_mtime_ns, fault)


def _fault(folder: Path, entry: os.DirEntry[str]) -> str | None:
    if entry.is_symlink():
        if not _leads_inside(folder, entry.path):
            return "a link that leads out of the data folder"
        if not os.path.isfile(entry.path):
            return "a link to nothing"
    elif not entry.is_file():
        return "not a regular file"
    if not _is_utf8(entry.name):
        return "its name is not UTF-8"
    size = entry.stat().st_size
    return f"{size:,} bytes, more than the {MAX_FILE_BYTES:,} allowed" if size > MAX_FILE_BYTES else None


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder} must be a folder this user can read. Received: {error.strerror}.") from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # DirEntry.is_dir() raises on links that go round in circles.
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def _leads_inside(folder: Path, path: str | Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(folder)


def _is_utf8(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)
