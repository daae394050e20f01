"""Takes a classifier that somebody trained elsewhere in the trainer's place. TFX's Trainer calls `run_fn`."""

from pathlib import Path
from typing import Final

import keras
from keras.src.ops.nn import Sigmoid, Softmax

from roadworthy.models.backbones.weights_file import check_weights_file
from roadworthy.models.bridge.graph import leaves
from roadworthy.models.config import TrainedModel
from roadworthy.models.export import KERAS_FILE, export_saved_model, load_keras, save_keras
from roadworthy.models.finetuning.dataset import read_labels
from roadworthy.models.finetuning.run_fn import FnArgs
from roadworthy.models.module_file import run_module_file
from roadworthy.serving.contract import SCORES, ModelCard
from roadworthy.serving.errors import ModelError

ADOPTED: Final = "trained_model"

# (scale, offset) from pixels in [0, 255] to the range a model takes.
_PIXELS: Final = {"0..1": (1 / 255, 0.0), "-1..1": (1 / 127.5, -1.0)}
_IMAGE_RANK: Final = 4


def run_fn(fn_args: FnArgs) -> None:
    """Exports the model as the trainer would: the version folder, and the Keras file in `Format-Keras/` beside it.

    Args:
        fn_args: `custom_config["trained_model"]` holds a `TrainedModel` as JSON.

    Raises:
        RoadworthyError: as `read_trained`.
        DataError: the labels can't be read.
    """
    trained = TrainedModel.model_validate_json(fn_args.custom_config[ADOPTED])
    labels = read_labels(fn_args.train_files)
    model = read_trained(trained, classes=len(labels))
    _, height, width, channels = model.input_shape
    card = ModelCard(labels=labels, image_height=height, image_width=width, image_channels=channels)
    saved_model_dir = Path(fn_args.serving_model_dir)
    save_keras(model, saved_model_dir.parent / KERAS_FILE)
    export_saved_model(model, card, saved_model_dir)


def read_trained(trained: TrainedModel, *, classes: int) -> keras.Model:
    """Reads a model as `adopt` makes it, after its module file was run.

    Args:
        trained: the files, and what pixels the model takes.
        classes: how many labels the data has.

    Raises:
        WeightsError: the file or its module file is missing, or has another SHA-256 sum.
        ModelError: as `adopt`, or the file holds no safe Keras model, or its module file fails.
    """
    check_weights_file(trained.path, sha256=trained.sha256)
    run_module_file(trained.module)
    model = load_keras(trained.path)
    try:
        return adopt(model, pixels=trained.pixels, classes=classes)
    except ModelError as error:
        raise type(error)(f"{trained.path}: {error}") from error


def adopt(model: keras.Model, *, pixels: str, classes: int) -> keras.Model:
    """Makes a classifier that keeps our contract: pixels in [0, 255] in, scores that sum to 1 out.

    A softmax is added behind a model that gives logits, a rescaling before one that takes another range of pixels.
    Scores come out as float32 whatever the model computes in.

    Args:
        model: functional or Sequential; one image input of fixed size and 1 or 3 channels, one output [batch, classes].
        pixels: the range it takes: "0..255", "0..1" or "-1..1".
        classes: how many labels the data has.

    Raises:
        UnsupportedLayer: the model, or one in it, is subclassed.
        ModelError: the model has other inputs or outputs; the message says which.
    """
    leaves(model)
    _check_borders(model, classes=classes)
    given = keras.Input(model.input_shape[1:], name="image")
    image = given
    if pixels in _PIXELS:
        scale, offset = _PIXELS[pixels]
        image = keras.layers.Rescaling(scale, offset=offset, name="pixel_range")(image)
    scores = model(image)
    if not _ends_in_softmax(model):
        scores = keras.layers.Softmax(dtype="float32", name=SCORES)(scores)
    elif scores.dtype != "float32":
        scores = keras.layers.Activation("linear", dtype="float32", name=SCORES)(scores)
    return keras.Model(given, scores, name="classifier")


def _check_borders(model: keras.Model, *, classes: int) -> None:
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(
            "An image classifier must have one input and one output. "
            f"Received: {len(model.inputs)} inputs, {len(model.outputs)} outputs."
        )
    taken, given = tuple(model.inputs[0].shape), tuple(model.outputs[0].shape)
    if len(taken) != _IMAGE_RANK or None in taken[1:] or taken[-1] not in (1, 3):
        raise ModelError(
            "An image classifier must take [batch, height, width, channels] of fixed size with 1 or 3 channels. "
            f"Received: {taken}. Build it with keras.Input((height, width, channels))."
        )
    if given != (None, classes):
        raise ModelError(
            f"The model must give [batch, {classes}], a score for each of the data's {classes} classes in their "
            f"alphabetical order. Received: {given}."
        )


def _ends_in_softmax(model: keras.Model) -> bool:
    # Not `layers[-1]`: an operation of keras.ops is no layer.
    last = model.layers[-1] if isinstance(model, keras.Sequential) else model.outputs[0]._keras_history.operation
    if isinstance(last, keras.Model):
        return _ends_in_softmax(last)
    activation = getattr(last, "activation", None)
    if activation is keras.activations.sigmoid or isinstance(last, Sigmoid):
        raise ModelError(
            "A classifier must give one label an image: softmax scores or logits. "
            f"Received: sigmoid scores from {last.name!r}."
        )
    return isinstance(last, keras.layers.Softmax | Softmax) or activation is keras.activations.softmax
