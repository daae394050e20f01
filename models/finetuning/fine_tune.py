"""Fine-tunes a classifier: paths in, files out."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import keras
import tensorflow as tf

from roadworthy.models.batch_norm import BATCHES, reestimate
from roadworthy.models.classifier import build_classifier, freeze_backbone
from roadworthy.models.config import EarlyStopping, PhaseSettings, TrainingRun, TrainSettings
from roadworthy.models.export import export_saved_model, save_keras
from roadworthy.models.finetuning.dataset import augmented_batches, count_examples, image_batches, read_labels
from roadworthy.models.finetuning.optimizers import build_optimizer
from roadworthy.serving.contract import ModelCard
from roadworthy.serving.errors import DataError

HEAD: Final = "head"
FULL: Final = "full"


class Epochs(NamedTuple):
    """What one phase came to: each metric by name, a value an epoch; empty when the phase was left out."""

    phase: str
    metrics: dict[str, list[float]]


class Splits(NamedTuple):
    """The files of the training and of the validation split, as globs, and how many images they hold."""

    train_files: tuple[str, ...]
    val_files: tuple[str, ...]
    train_count: int
    val_count: int


def fine_tune(
    run: TrainingRun,
    *,
    train_files: Sequence[str],
    val_files: Sequence[str],
    saved_model_dir: Path,
    keras_file: Path,
    log_dir: Path,
) -> tuple[Epochs, Epochs]:
    """Builds, trains and exports a classifier.

    The same run on the same files and machine gives the same weights. At most a buffer of images is in memory.

    Args:
        run: the model, how it is trained, and the seed of all that is random.
        train_files: globs of gzip TFRecords; `labels.json` lies beside their folder.
        val_files: as `train_files`, of the split that early stopping looks at.
        saved_model_dir: where the version folder goes.
        keras_file: where the `.keras` file goes.
        log_dir: where TensorBoard's logs go, a folder a phase.

    Returns:
        The head phase's and the full phase's metrics.

    Raises:
        DataError: a split has no images, or the labels can't be read.
        ConfigError: the backbone is unknown, or can't take images this small.
        WeightsError: the backbone's weights are missing, damaged or not the pinned ones.
    """
    labels = read_labels(train_files)
    splits = _count(train_files, val_files)
    keras.utils.set_random_seed(run.seed)
    model = build_classifier(run.model, classes=len(labels))
    history = train(model, run.train, splits=splits, seed=run.seed, log_dir=log_dir)
    size = run.model.image_size
    save_keras(model, keras_file)
    export_saved_model(model, ModelCard(labels=labels, image_height=size, image_width=size), saved_model_dir)
    return history


def train(
    model: keras.Model, settings: TrainSettings, *, splits: Splits, seed: int, log_dir: Path
) -> tuple[Epochs, Epochs]:
    """Trains the head with everything below it frozen, then all layers, with early stopping if it is set.

    Args:
        model: a classifier whose layers below the head are those `freeze_backbone` knows; changed in place.
        settings: batch size, phases, augmentation and early stopping.
        splits: what to train and to validate on.
        seed: of shuffling and augmentation, at least 0.
        log_dir: where TensorBoard's logs go.
    """
    freeze_backbone(model, frozen=True)
    head = _phase(model, HEAD, settings.head, settings, splits=splits, seed=seed, log_dir=log_dir)
    freeze_backbone(model, frozen=False)
    full = _phase(model, FULL, settings.full, settings, splits=splits, seed=seed + 1, log_dir=log_dir)
    if settings.full.epochs:
        _settle(model, settings, files=splits.train_files, seed=seed)
    return head, full


def _settle(model: keras.Model, settings: TrainSettings, *, files: Sequence[str], seed: int) -> None:
    """Batch statistics of the final weights on plain images; in training they lagged behind, on augmented ones."""
    _, height, width, _ = model.input_shape
    batches = image_batches(files, height=height, width=width, batch_size=settings.batch_size, shuffle_seed=seed)
    reestimate(model, (images for images, _ in batches.take(BATCHES).as_numpy_iterator()))


def _phase(
    model: keras.Model,
    name: str,
    phase: PhaseSettings,
    settings: TrainSettings,
    *,
    splits: Splits,
    seed: int,
    log_dir: Path,
) -> Epochs:
    if phase.epochs == 0:
        return Epochs(name, {})
    _, height, width, _ = model.input_shape
    steps = -(-splits.train_count // settings.batch_size)
    model.compile(
        optimizer=build_optimizer(phase.optimizer, steps=steps * phase.epochs),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        # On a CPU, a step of EfficientNet-Lite0 took XLA 12 times the CPU time of TensorFlow's own kernels.
        jit_compile=False,
    )
    history = model.fit(
        augmented_batches(
            splits.train_files,
            height=height,
            width=width,
            batch_size=settings.batch_size,
            augmentation=settings.augmentation,
            seed=seed,
        ),
        steps_per_epoch=steps,
        epochs=phase.epochs,
        validation_data=_validation_batches(splits, height=height, width=width, batch_size=settings.batch_size),
        shuffle=False,
        callbacks=_callbacks(log_dir / name, settings.early_stopping if name == FULL else None),
        # A bar for people; one line an epoch for log files.
        verbose=1 if sys.stdout.isatty() else 2,
    )
    return Epochs(name, history.history)


def _validation_batches(splits: Splits, *, height: int, width: int, batch_size: int) -> tf.data.Dataset:
    batches = image_batches(splits.val_files, height=height, width=width, batch_size=batch_size)
    # Keras takes the end of a dataset of unknown length for a fault, and warns.
    return batches.apply(tf.data.experimental.assert_cardinality(-(-splits.val_count // batch_size)))


def _callbacks(log_dir: Path, early_stopping: EarlyStopping | None) -> list[keras.callbacks.Callback]:
    callbacks: list[keras.callbacks.Callback] = [keras.callbacks.TensorBoard(str(log_dir), write_graph=False)]
    if early_stopping is not None:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                monitor="val_loss",
                patience=early_stopping.patience,
                min_delta=early_stopping.min_delta,
                restore_best_weights=True,
            )
        )
    return callbacks


def _count(train_files: Sequence[str], val_files: Sequence[str]) -> Splits:
    splits = Splits(tuple(train_files), tuple(val_files), count_examples(train_files), count_examples(val_files))
    for name, count, files in (("train", splits.train_count, train_files), ("val", splits.val_count, val_files)):
        if count == 0:
            raise DataError(f"The split {name} must hold at least one image. Received: none in {', '.join(files)}.")
    return splits
