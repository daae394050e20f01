"""What every compression recipe keeps: a version folder comes out that answers like any other model."""

import io
import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_images

from roadworthy.models.compression.compress import SAVED_MODEL_DIR, SERVED_DIR, compress
from roadworthy.models.compression.recipe import Recipe
from roadworthy.models.compression.record import read_records
from roadworthy.models.export import KERAS_FILE, save_keras
from roadworthy.models.finetuning.dataset import image_batches
from roadworthy.serving.contract import (
    EXAMPLES_INPUT,
    EXAMPLES_SIGNATURE,
    IMAGE_INPUT,
    IMAGE_KEY,
    IMAGE_SIGNATURE,
    LABEL,
    LABEL_INDEX_KEY,
    LABEL_TEXT_KEY,
    SCORES,
    ModelCard,
)
from roadworthy.serving.servables.open import open_servable

LABELS = ("china", "flower")
SIDE = 24
TILES_A_CLASS = 20


def check_recipe(recipe: Recipe, *, folder: Path) -> Path:
    """Applies a recipe to a tiny classifier of real photos and asks the variant in both ways.

    Args:
        recipe: the recipe under test.
        folder: empty; what the recipe needs and makes is written below it.

    Returns:
        The version folder, for checks of the recipe's own.
    """
    train_files = write_tiles(folder / "examples")
    write_parent(folder / "trained" / KERAS_FILE, train_files)
    made = folder / "made"
    card = ModelCard(labels=LABELS, image_height=SIDE, image_width=SIDE)
    compress(folder / "trained", recipe=recipe, card=card, train_files=train_files, batch_size=8, seed=1, out_dir=made)
    assert len(read_records(made)) == len(recipe.steps)
    for version in (made / SERVED_DIR, made / SAVED_MODEL_DIR):
        if version.exists():
            check_answers(version, variant=recipe.name)
    return made / SERVED_DIR


def check_answers(version: Path, *, variant: str) -> None:
    """Asks a variant for tiles of both classes through both signatures."""
    photos = tiles()
    images = np.array([photos[label][0] for label in LABELS], dtype=object)
    examples = np.array([example(image, index) for index, image in enumerate(images)], dtype=object)
    servable = open_servable(version)
    try:
        by_image = servable.predict(IMAGE_SIGNATURE, {IMAGE_INPUT: images})
        by_example = servable.predict(EXAMPLES_SIGNATURE, {EXAMPLES_INPUT: examples})
        assert servable.card is not None
        assert servable.card.variant == variant
    finally:
        servable.close()
    np.testing.assert_allclose(by_image[SCORES].sum(axis=1), 1, atol=0.02)
    np.testing.assert_array_equal(by_image[SCORES], by_example[SCORES])
    assert [label.decode() for label in by_image[LABEL]] == list(LABELS)


def tiles() -> dict[str, list[bytes]]:
    """PNG tiles of two photos, by label: a Chinese temple and a flower."""
    photos = load_sample_images().images
    return {label: [png(tile) for tile in cut(photo)] for label, photo in zip(LABELS, photos, strict=True)}


def cut(photo: np.ndarray) -> list[np.ndarray]:
    rows, columns = 4, TILES_A_CLASS // 4
    return [tile for band in np.array_split(photo, rows) for tile in np.array_split(band, columns, axis=1)]


def png(tile: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(tile).resize((SIDE, SIDE)).save(file, "PNG")
    return file.getvalue()


def example(image: bytes, label: int) -> bytes:
    feature = {
        IMAGE_KEY: tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
        LABEL_INDEX_KEY: tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
        LABEL_TEXT_KEY: tf.train.Feature(bytes_list=tf.train.BytesList(value=[LABELS[label].encode()])),
    }
    serialized: bytes = tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
    return serialized


def write_tiles(folder: Path) -> list[str]:
    """Writes the tiles as a training split; gives its glob."""
    split = folder / "Split-train"
    split.mkdir(parents=True)
    (folder / "labels.json").write_text(json.dumps(LABELS))
    with tf.io.TFRecordWriter(str(split / "data_tfrecord-00000-of-00001.gz"), "GZIP") as writer:
        for pair in zip(*tiles().values(), strict=True):
            for label, image in enumerate(pair):
                writer.write(example(image, label))
    return [str(split / "*")]


def tiny_classifier() -> keras.Model:
    """A functional classifier of some thousand weights with a Sequential and a functional model nested in it."""
    layers = keras.layers
    stem = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.ZeroPadding2D(1),
            layers.Conv2D(16, 3, strides=2, use_bias=False, name="conv"),
            layers.BatchNormalization(momentum=0.8, name="bn"),
            layers.ReLU(6.0),
        ],
        name="stem",
    )
    entry = keras.Input((SIDE, SIDE, 3))
    features = stem(entry)
    branch = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(features)
    branch = layers.Conv2D(16, 1, activation="relu", name="project")(branch)
    backbone = keras.Model(entry, layers.Add(name="add")([features, branch]), name="backbone")
    image = keras.Input((SIDE, SIDE, 3), name="image")
    scaled = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(image)
    pooled = layers.GlobalAveragePooling2D()(backbone(scaled))
    scores = layers.Dense(len(LABELS), activation="softmax", name=SCORES)(layers.Dropout(0.1)(pooled))
    return keras.Model(image, scores, name="tiny")


def write_parent(path: Path, train_files: Sequence[str]) -> Path:
    """Trains the tiny classifier until it tells the photos apart, and saves it."""
    keras.utils.set_random_seed(7)
    model = tiny_classifier()
    batches = image_batches(train_files, height=SIDE, width=SIDE, batch_size=8, shuffle_seed=7)
    model.compile(keras.optimizers.Adam(1e-2), loss="sparse_categorical_crossentropy")
    model.fit(batches, epochs=12, verbose=0)
    save_keras(model, path)
    return path
