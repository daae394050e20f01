"""Fashion-MNIST: 70,000 grey photos of ten kinds of clothing, 28 x 28 pixels, MIT licence.

Reference: Xiao, Rasul and Vollgraf 2017, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
Algorithms", https://github.com/zalandoresearch/fashion-mnist.
"""

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from roadworthy.pipeline.datasets import apt
from roadworthy.pipeline.datasets.image_folder import Fetched, first_of_each_class, is_complete, write_image_folder
from roadworthy.serving.errors import DataError

PACKAGE: Final = "dataset-fashion-mnist"
PACKAGE_FOLDER: Final = "usr/share/datasets/fashion-mnist"
SIDE: Final = 28

# In the order of the dataset's label indices.
CLASSES: Final = (
    "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot",
)  # fmt: skip

Split = Literal["train", "test"]


@dataclass(frozen=True, slots=True)
class _Pinned:
    """One split as its authors publish it: the prefix of its IDX files, and the SHA-256 of what they hold.

    The sums are over the bare values, without headers: Debian, Ubuntu and the authors compress the same bytes in
    different ways, and Keras hands out arrays.
    """

    prefix: str
    images: int
    pixels_sha256: str
    labels_sha256: str


SPLITS: Final[dict[Split, _Pinned]] = {
    "train": _Pinned(
        prefix="train",
        images=60_000,
        pixels_sha256="2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        labels_sha256="657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
    ),
    "test": _Pinned(
        prefix="t10k",
        images=10_000,
        pixels_sha256="c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        labels_sha256="3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
    ),
}


def fetch(out: Path, *, split: Split, images_per_class: int | None, cache_dir: Path) -> Fetched:
    """Writes Fashion-MNIST as an image folder: `<out>/<class>/<index>.png`, lossless.

    Nothing is done when `out` already holds what is asked for. A run that is killed leaves no half-written folder.

    Args:
        out: the image folder; `<out>.json` beside it says what it holds.
        split: the authors' training or test set.
        images_per_class: the first so many of each class; all of them when None.
        cache_dir: where the downloaded package is kept.

    Raises:
        DataError: the dataset can't be downloaded or has other bytes than the pinned ones, or `out` can't be written.
    """
    per_class = min(images_per_class or SPLITS[split].images, SPLITS[split].images // len(CLASSES))
    images = per_class * len(CLASSES)
    made = {"dataset": "fashion-mnist", "split": split, "images_per_class": per_class, "images": images}
    skipped = is_complete(out, made)
    if not skipped:
        pixels, labels = load(split, cache_dir=cache_dir)
        chosen = first_of_each_class(labels, per_class)
        write_image_folder(pixels, labels, chosen=chosen, classes=CLASSES, out=out, made=made)
    return Fetched(images=images, classes=tuple(sorted(CLASSES)), skipped=skipped)


def load(split: Split, *, cache_dir: Path) -> tuple[np.ndarray, np.ndarray]:
    """Downloads the arrays: from Debian's or Ubuntu's package, and through `keras.datasets` where there is no apt.

    Returns:
        Pixels uint8[images, 28, 28] and labels uint8[images], in the authors' order.

    Raises:
        DataError: the download failed, or brought other bytes than the pinned ones.
    """
    if apt.is_available():
        folder = apt.unpack_package(PACKAGE, cache_dir=cache_dir) / PACKAGE_FOLDER
        return check(*read_idx(folder, split), split=split, source=str(folder))
    return check(*_from_keras(split), split=split, source="keras.datasets.fashion_mnist")


def read_idx(folder: Path, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Reads one split from gzipped IDX files, no more of them than the split has.

    Raises:
        DataError: a file is missing, no gzip file, or too short; the message names it.
    """
    pinned = SPLITS[split]
    pixels = _idx_values(folder / f"{pinned.prefix}-images-idx3-ubyte.gz", pinned.images * SIDE**2, header_bytes=16)
    labels = _idx_values(folder / f"{pinned.prefix}-labels-idx1-ubyte.gz", pinned.images, header_bytes=8)
    return pixels.reshape(-1, SIDE, SIDE), labels


def check(pixels: np.ndarray, labels: np.ndarray, *, split: Split, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Passes the arrays on if they are the pinned ones.

    Raises:
        DataError: another SHA-256 sum; the message names `source`.
    """
    pinned = SPLITS[split]
    for values, wanted in ((pixels, pinned.pixels_sha256), (labels, pinned.labels_sha256)):
        found = hashlib.sha256(values.tobytes()).hexdigest()
        if found != wanted:
            raise DataError(
                f"{source} must hold Fashion-MNIST's {split} split with the SHA-256 sum {wanted}. Received: {found}. "
                "Remove it, so that it is downloaded again."
            )
    return pixels, labels


def _idx_values(path: Path, count: int, *, header_bytes: int) -> np.ndarray:
    try:
        with gzip.open(path) as file:
            data = file.read(header_bytes + count)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} must be a file of Fashion-MNIST. Received: {error}. Remove its folder to download it again."
        ) from error
    if len(data) < header_bytes + count:
        raise DataError(
            f"{path} must hold {count:,} values. Received: {len(data):,} bytes. Remove its folder to download it again."
        )
    return np.frombuffer(data, np.uint8, offset=header_bytes)


def _from_keras(split: Split) -> tuple[np.ndarray, np.ndarray]:
    from keras.datasets import fashion_mnist

    try:
        train, test = fashion_mnist.load_data()
    except Exception as error:  # Keras raises the bare class when a download fails.
        raise DataError(
            f"keras.datasets.fashion_mnist must be downloaded. Received: {error}. Is there a network?"
        ) from error
    pixels, labels = train if split == "train" else test
    return np.asarray(pixels), np.asarray(labels)
