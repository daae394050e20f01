"""The public datasets a config's `data.fetch.dataset` can name. Importing this imports no TensorFlow."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, Protocol

from roadworthy.pipeline.datasets.fashion_mnist import FASHION_MNIST
from roadworthy.pipeline.datasets.image_folder import Fetched
from roadworthy.pipeline.datasets.mnist import MNIST


class Fetch(Protocol):
    """Writes a dataset as an image folder, unless it is there already."""

    def __call__(
        self, out: Path, *, split: Literal["train", "test"], images_per_class: int | None, cache_dir: Path
    ) -> Fetched:
        """Writes the images below `out`, which is replaced as a whole or not at all."""


DATASETS: Final[Mapping[str, Fetch]] = MappingProxyType(
    {dataset.name: dataset.fetch for dataset in (FASHION_MNIST, MNIST)}
)
