"""Real handwritten digits, and a tiny classifier of them, as the pipeline's artifacts hold such things."""

import functools
import io
import json
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_digits

from roadworthy.models.export import export_litert, export_saved_model, save_keras
from roadworthy.serving.contract import FILENAME_KEY, IMAGE_KEY, LABEL_INDEX_KEY, LABEL_TEXT_KEY, ModelCard

LABELS = ("zero", "one", "two", "three")
SIDE = 16
CARD = ModelCard(labels=LABELS, image_height=SIDE, image_width=SIDE)
PER_CLASS = {"train": 40, "test": 15}


@functools.cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """uint8[n, 16, 16] images in [0, 255] and int64[n] labels of the first four digits."""
    images, labels = load_digits(n_class=len(LABELS), return_X_y=True)
    small = np.round(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    return np.kron(small, np.ones((2, 2), np.uint8)), labels.astype(np.int64)


def write_examples(uri: Path, per_class: Mapping[str, int] = PER_CLASS) -> Path:
    """An Examples artifact's folder: `Split-<name>/*.gz` and `labels.json`; no image is in two splits."""
    images, labels = digits()
    rows = [iter(np.flatnonzero(labels == label)) for label in range(len(LABELS))]
    for split, count in per_class.items():
        (uri / f"Split-{split}").mkdir(parents=True)
        chosen = [next(rows[label]) for _ in range(count) for label in range(len(LABELS))]
        with tf.io.TFRecordWriter(str(uri / f"Split-{split}" / "data-00000-of-00001.gz"), "GZIP") as writer:
            for row in chosen:
                writer.write(example(images[row], int(labels[row])))
    (uri / "labels.json").write_text(json.dumps(LABELS))
    return uri


def example(image: np.ndarray, label: int) -> bytes:
    """One serialized tf.Example with a PNG."""
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                IMAGE_KEY: _bytes(png(image)),
                LABEL_INDEX_KEY: tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                LABEL_TEXT_KEY: _bytes(LABELS[label].encode()),
                FILENAME_KEY: _bytes(b"digits.png"),
            }
        )
    ).SerializeToString()


def png(image: np.ndarray) -> bytes:
    """A PNG file's bytes."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


@functools.cache
def classifier() -> keras.Model:
    """A classifier of about 3,000 parameters, trained just enough to be right often and wrong sometimes."""
    keras.utils.set_random_seed(5)
    image = keras.Input((SIDE, SIDE, 3), name="image")
    features = keras.layers.Rescaling(1 / 255)(image)
    features = keras.layers.Conv2D(8, 3, strides=2, use_bias=False)(features)
    features = keras.layers.ReLU()(keras.layers.BatchNormalization()(features))
    features = keras.layers.Conv2D(16, 3, strides=2, activation="relu")(features)
    scores = keras.layers.Dense(len(LABELS), activation="softmax", name="scores")(keras.layers.Flatten()(features))
    model = keras.Model(image, scores)
    images, labels = digits()
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(np.repeat(images[..., None], 3, axis=-1).astype(np.float32), labels, epochs=2, verbose=0)
    return model


def write_saved_model(version_dir: Path, card: ModelCard = CARD) -> Path:
    """The classifier's SavedModel as a version folder."""
    export_saved_model(classifier(), card, version_dir)
    return version_dir


def write_litert(version_dir: Path, *, card: ModelCard = CARD, int8: bool = True) -> Path:
    """The classifier as a LiteRT version folder."""
    converter = tf.lite.TFLiteConverter.from_keras_model(classifier())
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [np.repeat(image[None, ..., None], 3, axis=-1).astype(np.float32)] for image in digits()[0][:32]
        )
    export_litert(converter.convert(), card, version_dir)
    return version_dir


def write_trained_model(uri: Path) -> Path:
    """The Trainer's Model artifact's folder: the Keras file and the SavedModel."""
    save_keras(classifier(), uri / "Format-Keras" / "model.keras")
    write_saved_model(uri / "Format-Serving")
    return uri


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
