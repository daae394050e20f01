"""Real photos and a small real dataset, cut from the two photos that scikit-learn ships."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TILE = 32
TILES_PER_CLASS = {"train": 12, "val": 4, "test": 4}


def encode(pixels: np.ndarray, *, kind: str = "PNG", mode: str = "RGB") -> bytes:
    """The bytes of an image file; pixels are uint8 [rows, columns, 3]."""
    data = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(data, kind)
    return data.getvalue()


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A temple, uint8 [427, 640, 3]."""
    from sklearn.datasets import load_sample_image

    return load_sample_image("china.jpg")


@pytest.fixture(scope="session")
def examples_dir(tmp_path_factory: pytest.TempPathFactory, photo: np.ndarray) -> Path:
    """An `Examples` artifact's folder: 20 tiles of a temple and 20 of a flower, in three splits."""
    from sklearn.datasets import load_sample_image

    root = tmp_path_factory.mktemp("examples")
    tiles = {0: _tiles(load_sample_image("flower.jpg")), 1: _tiles(photo)}
    first = 0
    for split, count in TILES_PER_CLASS.items():
        pairs = [(tiles[label][index], label) for index in range(first, first + count) for label in tiles]
        _write_split(root / f"Split-{split}", pairs)
        first += count
    (root / "labels.json").write_text(json.dumps(["flower", "temple"]))
    return root


def _tiles(pixels: np.ndarray) -> list[np.ndarray]:
    corners = [(row, column) for row in range(100, 350, TILE) for column in range(150, 450, TILE)]
    return [pixels[row : row + TILE, column : column + TILE] for row, column in corners]


def _write_split(folder: Path, pairs: list[tuple[np.ndarray, int]]) -> None:
    import tensorflow as tf

    folder.mkdir()
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    with tf.io.TFRecordWriter(str(folder / "data_tfrecord-00000-of-00001.gz"), options) as writer:
        for pixels, label in pairs:
            features = {
                "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[encode(pixels)])),
                "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
