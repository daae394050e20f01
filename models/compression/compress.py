"""Takes a trained model through the steps of a recipe and exports what comes out."""

import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import keras

from roadworthy.models.compression.made import Bench, Made
from roadworthy.models.compression.recipe import Recipe, Step
from roadworthy.models.compression.record import StepRecord, read_records, write_records
from roadworthy.models.compression.steps import STEPS
from roadworthy.models.compression.training_images import NO_AUGMENTATION, TrainingImages
from roadworthy.models.config import AugmentationSettings
from roadworthy.models.determinism import keep_order
from roadworthy.models.export import KERAS_FILE, export_litert, export_saved_model, load_keras, save_keras
from roadworthy.serving.contract import ModelCard

# Folders of a Model artifact. The first is TFX's name for what is served.
SERVED_DIR: Final = "Format-Serving"
SAVED_MODEL_DIR: Final = "Format-SavedModel"


def take_step(
    model_dir: Path,
    *,
    steps: Sequence[Step],
    variant: str | None,
    card: ModelCard,
    trained_dir: Path,
    train_files: Sequence[str],
    batch_size: int,
    seed: int,
    out_dir: Path,
    augmentation: AugmentationSettings = NO_AUGMENTATION,
) -> None:
    """Takes the last of some steps; those before it made the model that is given.

    The same step, files and seed give the same model; one that trains does so under TF_DETERMINISTIC_OPS alone. Sets
    the seeds of Python, NumPy and TensorFlow.

    Args:
        model_dir: folder with `Format-Keras/model.keras`, and `steps.json` if steps made it.
        steps: the recipe's steps, up to and with the one to take.
        variant: name to export the model under, or None if it is only one on the way to another.
        card: the trained model's card.
        trained_dir: folder of the run's trained model, for distillation.
        train_files: globs of the training split's gzip TFRecord files.
        batch_size: images a step of fine-tuning, at least 1.
        seed: of shuffles and dropout, in [0, 2**32).
        out_dir: folder to write: `Format-Keras/` and `steps.json`; for a variant `Format-Serving/`, which holds a
            LiteRT model if the step converts to one, with the same model as a SavedModel in `Format-SavedModel/`
            then, and a SavedModel otherwise.
        augmentation: of the images of fine-tuning.

    Raises:
        ModelError: a file holds no safe Keras model, or the step did not do to it what it should have.
        UnsupportedLayer: the step can't take a layer of the model.
        DataError: the training split is empty or missing.
    """
    keep_order()
    keras.utils.set_random_seed(seed)
    *earlier, step = steps
    model = load_keras(model_dir / KERAS_FILE)
    card = _card_of(model, card)
    bench = Bench(
        images=TrainingImages(
            train_files,
            height=card.image_height,
            width=card.image_width,
            channels=card.image_channels,
            batch_size=batch_size,
            seed=seed,
            augmentation=augmentation,
        ),
        card=card,
        earlier=tuple(earlier),
        teacher=lambda: load_keras(trained_dir / KERAS_FILE),
    )
    started = time.monotonic()
    made = STEPS[step.kind](model, step.settings, bench)
    record = StepRecord(step=step, seconds=time.monotonic() - started, skipped=made.skipped, notes=made.notes)
    save_keras(made.model, out_dir / KERAS_FILE)
    write_records((*read_records(model_dir), record), out_dir)
    if variant is not None:
        _export(made, replace(_card_of(made.model, card), variant=variant), out_dir)


def compress(
    trained_dir: Path,
    *,
    recipe: Recipe,
    card: ModelCard,
    train_files: Sequence[str],
    batch_size: int,
    seed: int,
    out_dir: Path,
    augmentation: AugmentationSettings = NO_AUGMENTATION,
) -> None:
    """Takes all of a recipe's steps, one after the other, as the pipeline's nodes do.

    Args:
        trained_dir: folder with the trained model's `Format-Keras/model.keras`.
        recipe: the steps, in order.
        card: the trained model's card; the variant's says the recipe's name.
        train_files: globs of the training split's gzip TFRecord files.
        batch_size: images a step of fine-tuning, at least 1.
        seed: of shuffles and dropout, in [0, 2**32).
        out_dir: folder to write, as `take_step` does for a variant; replaced as a whole if it is there.
        augmentation: of the images of fine-tuning.

    Raises:
        RoadworthyError: as `take_step`.
    """
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out_dir.parent, prefix=".") as aside:
        model_dir = trained_dir
        for place in range(1, len(recipe.steps) + 1):
            made_dir = Path(aside) / str(place)
            take_step(
                model_dir,
                steps=recipe.steps[:place],
                variant=recipe.name if place == len(recipe.steps) else None,
                card=card,
                trained_dir=trained_dir,
                train_files=train_files,
                batch_size=batch_size,
                seed=seed,
                out_dir=made_dir,
                augmentation=augmentation,
            )
            model_dir = made_dir
        if out_dir.exists():
            shutil.rmtree(out_dir)
        model_dir.replace(out_dir)


def _card_of(model: keras.Model, card: ModelCard) -> ModelCard:
    """The card with the model's own image size, which a step may have changed."""
    _, height, width, _ = model.input_shape
    return replace(card, image_height=height, image_width=width)


def _export(made: Made, card: ModelCard, out_dir: Path) -> None:
    if made.litert is None:
        export_saved_model(made.model, card, out_dir / SERVED_DIR, frozen=made.frozen)
    else:
        export_litert(made.litert, card, out_dir / SERVED_DIR)
        export_saved_model(made.model, card, out_dir / SAVED_MODEL_DIR)
