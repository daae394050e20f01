"""Makes one variant of a trained model: applies a recipe's steps and exports what comes out."""

from collections.abc import Sequence
from pathlib import Path

import keras

from roadworthy.models.compression.recipe import Recipe
from roadworthy.models.compression.steps import STEPS
from roadworthy.models.compression.training_images import TrainingImages
from roadworthy.models.export import export_litert, export_saved_model, load_keras
from roadworthy.serving.contract import ModelCard


def compress(
    keras_file: Path,
    *,
    recipe: Recipe,
    card: ModelCard,
    train_files: Sequence[str],
    batch_size: int,
    seed: int,
    out_dir: Path,
) -> None:
    """Applies a recipe to a trained classifier and writes the variant as a version folder.

    The same recipe, files and seed give the same variant. Sets the seeds of Python, NumPy and TensorFlow.

    Args:
        keras_file: the parent, as the trainer saved it.
        recipe: the steps, in order.
        card: the parent's card; the variant's says the recipe's name.
        train_files: globs of the training split's gzip TFRecord files.
        batch_size: images a step of fine-tuning, at least 1.
        seed: of shuffles and dropout, in [0, 2**32).
        out_dir: the folder to write: a LiteRT model if the last step converts to one, otherwise a SavedModel.

    Raises:
        ModelError: the file holds no safe Keras model, or a step did not do to it what it should have.
        UnsupportedLayer: a step can't take a layer of the model.
        DataError: the training split is empty or missing.
    """
    keras.utils.set_random_seed(seed)
    images = TrainingImages(
        train_files, height=card.image_height, width=card.image_width, batch_size=batch_size, seed=seed
    )
    made: keras.Model | bytes = load_keras(keras_file)
    for step in recipe.steps:
        made = STEPS[step.kind](made, step.settings, images)
    variant = card.model_copy(update={"variant": recipe.name})
    if isinstance(made, bytes):
        export_litert(made, variant, out_dir)
    else:
        export_saved_model(made, variant, out_dir)
