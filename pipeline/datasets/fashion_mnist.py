"""Fashion-MNIST: 70,000 grey photos of ten kinds of clothing, 28 x 28 pixels, MIT licence.

Reference: Xiao, Rasul and Vollgraf 2017, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
Algorithms", https://github.com/zalandoresearch/fashion-mnist.
"""

from pathlib import Path
from typing import Final

from roadworthy.pipeline.datasets import apt
from roadworthy.pipeline.datasets.idx_dataset import IdxDataset, Pinned

PACKAGE: Final = "dataset-fashion-mnist"
PACKAGE_FOLDER: Final = "usr/share/datasets/fashion-mnist"


def unpack(cache_dir: Path) -> Path | None:
    """The IDX files of Debian's or Ubuntu's package; None where there is no apt.

    Raises:
        DataError: as `apt.unpack_package`.
    """
    return apt.unpack_package(PACKAGE, cache_dir=cache_dir) / PACKAGE_FOLDER if apt.is_available() else None


FASHION_MNIST: Final = IdxDataset(
    name="fashion-mnist",
    title="Fashion-MNIST",
    classes=("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot"),
    splits={
        "train": Pinned(
            prefix="train",
            counts=(6_000,) * 10,
            pixels_sha256="2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
            labels_sha256="657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        ),
        "test": Pinned(
            prefix="t10k",
            counts=(1_000,) * 10,
            pixels_sha256="c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
            labels_sha256="3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
        ),
    },
    unpack=unpack,
    keras_module="fashion_mnist",
)
