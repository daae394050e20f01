"""A tiny classifier and its training tiles, made once."""

from pathlib import Path

import keras
import pytest

from contracts.recipe import LABELS, SIDE, write_parent, write_tiles
from roadworthy.models.compression.made import Bench
from roadworthy.models.compression.training_images import TrainingImages
from roadworthy.models.export import KERAS_FILE, load_keras
from roadworthy.serving.contract import ModelCard


@pytest.fixture(scope="session")
def train_files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return write_tiles(tmp_path_factory.mktemp("examples") / "tiles")


@pytest.fixture(scope="session")
def parent_file(train_files: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_parent(tmp_path_factory.mktemp("parent") / KERAS_FILE, train_files)


@pytest.fixture
def parent(parent_file: Path) -> keras.Model:
    return load_keras(parent_file)


@pytest.fixture
def images(train_files: list[str]) -> TrainingImages:
    return TrainingImages(train_files, height=SIDE, width=SIDE, batch_size=8, seed=1)


@pytest.fixture
def bench(images: TrainingImages, parent_file: Path) -> Bench:
    card = ModelCard(labels=LABELS, image_height=SIDE, image_width=SIDE)
    return Bench(images=images, card=card, earlier=(), teacher=lambda: load_keras(parent_file))


@pytest.fixture
def no_images(tmp_path: Path) -> TrainingImages:
    """A split whose one file is there, and empty."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(tmp_path / "empty.gz"), "GZIP"):
        pass
    return TrainingImages([str(tmp_path / "*.gz")], height=SIDE, width=SIDE, batch_size=8, seed=1)
