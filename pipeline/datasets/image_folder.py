"""Writes labelled pixel arrays as an image folder, whole or not at all."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from roadworthy.serving.errors import DataError


@dataclass(frozen=True, slots=True)
class Fetched:
    """What lies in the image folder.

    Attributes:
        images: files written, all classes together.
        classes: class names, sorted, which are the folder names.
        skipped: True when it was there already and nothing was done.
    """

    images: int
    classes: tuple[str, ...]
    skipped: bool


def marker_of(out: Path) -> Path:
    """The file beside an image folder that says it is whole, and what it was made from."""
    return out.with_name(f"{out.name}.json")


def is_complete(out: Path, wanted: dict[str, Any]) -> bool:
    """Whether `out` was written in full for the same wish, and still has as many files."""
    try:
        found = json.loads(marker_of(out).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(found == _marker(wanted, complete=True)) and sum(1 for _ in out.glob("*/*.png")) == wanted["images"]


def write_image_folder(
    pixels: np.ndarray,
    labels: np.ndarray,
    *,
    chosen: Sequence[int],
    classes: Sequence[str],
    out: Path,
    made: dict[str, Any],
) -> None:
    """Writes `<out>/<class>/<index>.png` for the chosen images, replacing what this function left at `out` before.

    Args:
        pixels: uint8[images, height, width], grey.
        labels: uint8[images], indices into `classes`.
        chosen: indices of the images to write.
        classes: folder names.
        out: the image folder.
        made: what the marker file says; see `is_complete`.

    Raises:
        DataError: `out` holds files of someone else, or can't be written.
    """
    from PIL import Image
    from tqdm import tqdm

    with _written_aside(out, made) as aside:
        for name in classes:
            (aside / name).mkdir()
        for index in tqdm(chosen, desc=f"writing {out.name}", unit="image", leave=False, disable=None):
            Image.fromarray(pixels[index]).save(aside / classes[labels[index]] / f"{index:05d}.png")


def first_of_each_class(labels: np.ndarray, images_per_class: int | None) -> list[int]:
    """Indices of the first so many images of every class, ascending; of all images when None."""
    if images_per_class is None:
        return list(range(len(labels)))
    firsts = (np.flatnonzero(labels == label)[:images_per_class] for label in np.unique(labels))
    return sorted(int(index) for indices in firsts for index in indices)


@contextmanager
def _written_aside(out: Path, made: dict[str, Any]) -> Iterator[Path]:
    """A new folder beside `out` that takes its place at the end, or goes away if anything fails."""
    _refuse_foreign(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for stale in out.parent.glob(f".{out.name}-*"):
            shutil.rmtree(stale)
        aside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        try:
            yield aside
            aside.chmod(0o755)
            _replace(out, aside, made)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise DataError(
            f"{out} must be a folder this user can write. Received: {error}. Free space or choose another data.path."
        ) from error


def _refuse_foreign(out: Path) -> None:
    if out.exists() and not marker_of(out).exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(
            f"{out} must be empty or an earlier download, to be written. Received: files that were not downloaded "
            "(no marker file beside it). Move them, choose another data.path, or leave out data.fetch to use them."
        )


def _replace(out: Path, aside: Path, made: dict[str, Any]) -> None:
    """Between the first and the last line the marker says unfinished, so a run killed there is done again."""
    _write_marker(out, _marker(made, complete=False))
    if out.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        os.replace(out, old / "old")
        shutil.rmtree(old)
    os.replace(aside, out)
    _write_marker(out, _marker(made, complete=True))


def _marker(made: dict[str, Any], *, complete: bool) -> dict[str, Any]:
    return {**made, "complete": complete}


def _write_marker(out: Path, content: dict[str, Any]) -> None:
    draft = out.with_name(f".{out.name}.json")
    draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(draft, marker_of(out))
