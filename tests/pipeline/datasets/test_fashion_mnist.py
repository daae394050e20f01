import gzip
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from roadworthy.pipeline.datasets.fashion_mnist import FASHION_MNIST
from roadworthy.serving.errors import DataError

# Shared with the demo, so that the package is downloaded once a checkout.
CACHE = Path(__file__).parents[3] / ".cache" / "datasets"
fetch = FASHION_MNIST.fetch
IMAGES_FILE = "t10k-images-idx3-ubyte.gz"


@pytest.fixture(scope="module")
def fetched(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("fashion") / "test"
    fetch(out, split="test", images_per_class=3, cache_dir=CACHE)
    return out


def test_so_many_images_of_each_class_are_written(fetched):
    assert {folder.name: len(list(folder.iterdir())) for folder in fetched.iterdir()} == dict.fromkeys(
        FASHION_MNIST.classes, 3
    )


def test_the_images_are_those_of_the_authors(fetched):
    image = Image.open(fetched / "ankle-boot" / "00000.png")

    assert (image.size, image.mode) == ((28, 28), "L")
    assert np.asarray(image).sum() == 33456


def test_a_second_call_does_nothing(fetched):
    before = fetched.stat().st_mtime_ns
    again = fetch(fetched, split="test", images_per_class=3, cache_dir=CACHE)

    assert (again.skipped, again.images, fetched.stat().st_mtime_ns) == (True, 30, before)


def test_the_other_split_is_another_dataset(tmp_path):
    splits = ("test", "train", "train")
    calls = [fetch(tmp_path / "data", split=split, images_per_class=2, cache_dir=CACHE) for split in splits]

    assert [call.skipped for call in calls] == [False, False, True]


def test_more_images_than_there_are_means_all(tmp_path):
    assert fetch(tmp_path / "test", split="test", images_per_class=9_999, cache_dir=CACHE).images == 10_000


def test_other_pixels_than_the_pinned_ones_are_refused():
    pixels, labels = np.zeros((10_000, 28, 28), np.uint8), np.zeros(10_000, np.uint8)

    with pytest.raises(DataError, match=r"somewhere must hold Fashion-MNIST's test split with the SHA-256 sum c867"):
        FASHION_MNIST.check(pixels, labels, split="test", source="somewhere")


@pytest.mark.parametrize(
    ("content", "received"),
    [
        (None, "No such file"),
        (b"not gzip", "Not a gzipped file"),
        (gzip.compress(bytes(8_000_000))[:-2000], "ended before"),
        (gzip.compress(bytes(100)), "100 bytes"),
    ],
    ids=["missing", "not gzip", "cut", "short"],
)
def test_a_file_that_is_not_the_dataset_is_refused_by_name(tmp_path, content, received):
    if content is not None:
        (tmp_path / IMAGES_FILE).write_bytes(content)

    with pytest.raises(DataError, match=f"{IMAGES_FILE} must .*{received}"):
        FASHION_MNIST.read_idx(tmp_path, "test")
