"""Writes trained models: a version folder with both signatures, and the Keras file that compression starts from."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from roadworthy.models.images import decode_and_resize_batch
from roadworthy.models.keras_file import check_keras_file
from roadworthy.serving.contract import (
    EXAMPLES_INPUT,
    EXAMPLES_SIGNATURE,
    IMAGE_INPUT,
    IMAGE_KEY,
    IMAGE_SIGNATURE,
    LABEL,
    LITERT_FILE,
    SCORES,
    ModelCard,
)
from roadworthy.serving.errors import ModelError

# Where a Model artifact holds the file that compression starts from.
KERAS_FILE: Final = "Format-Keras/model.keras"


def export_saved_model(model: keras.Model, card: ModelCard, out_dir: Path, *, frozen: bool = False) -> None:
    """Writes a SavedModel with both signatures and its card; it only infers, and takes any batch size.

    Args:
        model: from float32 [batch, height, width, channels] in [0, 255] to scores [batch, classes].
        card: labels and image size, as the model was trained with.
        out_dir: the version folder; replaced as a whole if it is there.
        frozen: makes constants of the weights, so that a server's graph optimiser can work on them too.

    Raises:
        ModelError: the model's shapes are not the card's.
    """
    _check_shapes(model, card)
    # Endpoints bring the variables they use; `archive.track(model)` would store every one of them a second time.
    archive = keras.export.ExportArchive()
    strings = tf.TensorSpec((None,), tf.string)
    network = _frozen(model) if frozen else lambda images: model(images, training=False)

    def answer(encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        images = decode_and_resize_batch(
            encoded, height=card.image_height, width=card.image_width, channels=card.image_channels
        )
        scores = network(images)
        labels = tf.gather(tf.constant(card.labels), tf.argmax(scores, axis=-1))
        return {SCORES: scores, LABEL: labels}

    def from_examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(examples, {IMAGE_KEY: tf.io.FixedLenFeature((), tf.string)})
        return answer(parsed[IMAGE_KEY])

    # Serving hosts many threads; the names of both inputs are the names of these functions' arguments.
    archive.add_endpoint(EXAMPLES_SIGNATURE, from_examples, [_named(strings, EXAMPLES_INPUT)])
    archive.add_endpoint(IMAGE_SIGNATURE, answer, [_named(strings, IMAGE_INPUT)])
    with _written_aside(out_dir) as aside:
        archive.write_out(str(aside), verbose=False)
        card.write(aside)


def export_litert(flatbuffer: bytes, card: ModelCard, out_dir: Path) -> None:
    """Writes a LiteRT model and its card as a version folder.

    Args:
        flatbuffer: the converted network, from float32 [batch, height, width, channels] in [0, 255] to scores.
        card: labels and image size, as the model was trained with.
        out_dir: the version folder; replaced as a whole if it is there.
    """
    with _written_aside(out_dir) as aside:
        (aside / LITERT_FILE).write_bytes(flatbuffer)
        card.write(aside)


def save_keras(model: keras.Model, path: Path) -> None:
    """Writes a functional model as a `.keras` file, without its optimizer's state."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The same layers under a model that was never compiled.
    bare = keras.Model(model.input, model.output, name=model.name)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as aside:
        written = Path(aside) / path.name
        bare.save(written)
        written.replace(path)


def load_keras(path: Path) -> keras.Model:
    """Reads a `.keras` file; code hidden in it, such as a Lambda layer, is refused.

    Raises:
        ModelError: the file is missing, damaged, or would run code of its own.
    """
    check_keras_file(path)
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        # The whole config of the layer may follow.
        cause = str(error).partition(" Full object config:")[0]
        raise ModelError(
            f"{path} must be a .keras file of known layers in a functional or Sequential model; a module_file can "
            f"register more layers. Received: {cause}"
        ) from error


def _frozen(model: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """The network with its weights as constants of its graph."""
    images = tf.TensorSpec(model.inputs[0].shape, tf.float32)
    traced = tf.function(lambda batch: model(batch, training=False)).get_concrete_function(images)
    constant = convert_variables_to_constants_v2(traced)
    return lambda batch: tf.nest.flatten(constant(batch))[0]


def _check_shapes(model: keras.Model, card: ModelCard) -> None:
    wanted = ((None, card.image_height, card.image_width, card.image_channels), (None, len(card.labels)))
    received = (tuple(model.input_shape), tuple(model.output_shape))
    if received != wanted:
        raise ModelError(f"A model must have its card's shapes {wanted}. Received: {received}.")


def _named(spec: tf.TensorSpec, name: str) -> tf.TensorSpec:
    return tf.TensorSpec(spec.shape, spec.dtype, name=name)


@contextmanager
def _written_aside(out_dir: Path) -> Iterator[Path]:
    """A folder beside `out_dir` that takes its place when all went well, and is gone when not."""
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=out_dir.parent, prefix=f".{out_dir.name}."))
    try:
        yield aside
        # mkdtemp makes folders private; servers often run as another user.
        aside.chmod(0o755)
        if out_dir.exists():
            shutil.rmtree(out_dir)
        os.replace(aside, out_dir)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
