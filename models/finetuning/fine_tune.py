"""Fine-tunes a classifier: paths in, files out."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final, NamedTuple

import keras

from roadworthy.models.batch_norm import BATCHES, reestimate
from roadworthy.models.classifier import build_classifier, freeze_backbone
from roadworthy.models.config import TrainingRun, TrainSettings
from roadworthy.models.determinism import keep_order
from roadworthy.models.export import export_saved_model, save_keras
from roadworthy.models.finetuning.backup import NO_BACKUP, Backup, Progress, backup_path
from roadworthy.models.finetuning.dataset import count_examples, image_batches, read_labels
from roadworthy.models.finetuning.devices import Devices, find_devices, together
from roadworthy.models.finetuning.notice import Notice
from roadworthy.models.finetuning.phase import Phase, Splits
from roadworthy.models.finetuning.placed import placed
from roadworthy.serving.contract import ModelCard
from roadworthy.serving.errors import DataError

HEAD: Final = "head"
FULL: Final = "full"


class Epochs(NamedTuple):
    """What one phase came to: each metric by name, a value an epoch; empty when the phase was left out."""

    phase: str
    metrics: dict[str, list[float]]


def fine_tune(
    run: TrainingRun,
    *,
    train_files: Sequence[str],
    val_files: Sequence[str],
    saved_model_dir: Path,
    keras_file: Path,
    log_dir: Path,
    backup_dir: str | None = None,
) -> tuple[Epochs, Epochs]:
    """Builds, trains and exports a classifier, on all devices there are.

    Under TF_DETERMINISTIC_OPS the same run on the same files and machine gives the same weights, else nearly the same;
    also when it was interrupted and goes on from its backup. At most a buffer of images is in memory. Where several
    workers train, each of them calls this with the same arguments, and the chief writes.

    Args:
        run: the model, how it is trained, and the seed of all that is random.
        train_files: globs of gzip TFRecords; `labels.json` lies beside their folder.
        val_files: as `train_files`, of the split that early stopping looks at.
        saved_model_dir: where the version folder goes.
        keras_file: where the `.keras` file goes.
        log_dir: where TensorBoard's logs go, a folder a phase.
        backup_dir: where to keep what an interrupted training goes on from, the same for all workers and every
            attempt; None: nowhere.

    Returns:
        The head phase's and the full phase's metrics.

    Raises:
        DataError: a split has no images, or the labels can't be read.
        ConfigError: the backbone is unknown, or can't take images this small; or TF_CONFIG is not right.
        WeightsError: the backbone's weights are missing, damaged or not the pinned ones.
        ModelError: TF_DETERMINISTIC_OPS is set, and TensorFlow has begun without it.
        WorkerLost: another worker is gone; the same call in all of them goes on where they were.
        Stopped: SIGTERM came while it trained, to any of the workers; a backup was written, and the same call in all of
            them goes on there.
    """
    # First of all: workers can only join, and threads be counted, while TensorFlow has done nothing yet.
    keep_order()
    devices = find_devices(run.train)
    labels = read_labels(train_files)
    splits = _count(train_files, val_files)
    keras.utils.set_random_seed(run.seed)
    model = build_classifier(run.model, classes=len(labels))
    backup = _backup(run, splits, devices, folder=backup_dir)
    with together(devices):
        with backup.notice.awaited() if backup_dir else nullcontext():
            history = train(
                model, run.train, splits=splits, seed=run.seed, log_dir=log_dir, devices=devices, backup=backup
            )
            if devices.several_workers:
                backup.notice.hear(devices.total(float(backup.notice.is_given)))
            backup.stop_if_told()
        if devices.is_chief:
            size = run.model.image_size
            save_keras(model, keras_file)
            export_saved_model(model, ModelCard(labels=labels, image_height=size, image_width=size), saved_model_dir)
            backup.remove()
        devices.wait_for_all()
    return history


def train(
    model: keras.Model,
    settings: TrainSettings,
    *,
    splits: Splits,
    seed: int,
    log_dir: Path,
    devices: Devices | None = None,
    backup: Backup = NO_BACKUP,
) -> tuple[Epochs, Epochs]:
    """Trains the head with everything below it frozen, then all layers, with early stopping if it is set.

    Args:
        model: a classifier whose layers below the head are those `freeze_backbone` knows; changed in place.
        settings: batch size, phases, augmentation and early stopping.
        splits: what to train and to validate on.
        seed: of shuffling and augmentation, at least 0.
        log_dir: where TensorBoard's logs go.
        devices: what to train on; None: as the settings say.
        backup: what to go on from, and what is kept up to date.
    """
    devices = devices or find_devices(settings)
    twin = placed(model, devices)
    progress, variables = backup.read() or (Progress(), [])
    phases = ((HEAD, settings.head, None), (FULL, settings.full, settings.early_stopping))
    for number, (name, phase, early_stopping) in enumerate(phases):
        freeze_backbone(twin, frozen=name == HEAD)
        if phase.epochs == 0 or progress.is_past(name):
            continue
        begun = progress.begin(name)
        Phase(twin, phase, settings, early_stopping, splits, devices, seed=seed + number, log_dir=log_dir / name).run(
            progress, backup, variables=variables if begun else []
        )
    if twin is not model:
        model.set_weights(twin.get_weights())
    if settings.full.epochs:
        _settle(model, settings, files=splits.train_files, seed=seed)
    return Epochs(HEAD, progress.history.get(HEAD, {})), Epochs(FULL, progress.history.get(FULL, {}))


def _settle(model: keras.Model, settings: TrainSettings, *, files: Sequence[str], seed: int) -> None:
    """Batch statistics of the final weights on plain images; in training they lagged behind, on augmented ones."""
    _, height, width, _ = model.input_shape
    batches = image_batches(files, height=height, width=width, batch_size=settings.batch_size, shuffle_seed=seed)
    reestimate(model, (images for images, _ in batches.take(BATCHES).as_numpy_iterator()))


def _backup(run: TrainingRun, splits: Splits, devices: Devices, *, folder: str | None) -> Backup:
    if folder is None:
        return NO_BACKUP
    path = backup_path(folder, run, devices, files=[*splits.train_files, *splits.val_files])
    notice = Notice(is_shared=devices.several_workers)
    return Backup(path, every_s=run.train.backup_every_s, writes=devices.is_chief, notice=notice)


def _count(train_files: Sequence[str], val_files: Sequence[str]) -> Splits:
    splits = Splits(tuple(train_files), tuple(val_files), count_examples(train_files), count_examples(val_files))
    for name, count, files in (("train", splits.train_count, train_files), ("val", splits.val_count, val_files)):
        if count == 0:
            raise DataError(f"The split {name} must hold at least one image. Received: none in {', '.join(files)}.")
    return splits
