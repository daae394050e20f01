"""One phase of training, epoch by epoch, from where its backup left off."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from roadworthy.models.config import EarlyStopping, PhaseSettings, TrainSettings
from roadworthy.models.finetuning.backup import Backup, Progress
from roadworthy.models.finetuning.dataset import Share, augmented_batches, weighted_batches
from roadworthy.models.finetuning.devices import FLOAT16, Devices
from roadworthy.models.finetuning.optimizers import build_optimizer
from roadworthy.models.finetuning.replicas import Replicas
from roadworthy.models.finetuning.reports import VALIDATION, Reports


class Splits(NamedTuple):
    """The files of the training and of the validation split, as globs, and how many images they hold."""

    train_files: tuple[str, ...]
    val_files: tuple[str, ...]
    train_count: int
    val_count: int


@dataclass(frozen=True)
class Phase:
    """What is trained in a phase, on what, and with what.

    Attributes:
        model: made in the scope of the devices' strategy; trained in place.
        settings: epochs and optimizer.
        train: batch size and augmentation.
        early_stopping: when to stop before the last epoch; None: never.
        splits: what to train and to validate on.
        devices: what to run on.
        seed: of shuffling and augmentation, at least 0.
        log_dir: where TensorBoard's logs go.
    """

    model: keras.Model
    settings: PhaseSettings
    train: TrainSettings
    early_stopping: EarlyStopping | None
    splits: Splits
    devices: Devices
    seed: int
    log_dir: Path

    @property
    def batch_size(self) -> int:
        """Images a step, over all replicas."""
        return self.devices.global_batch(self.train.batch_size)

    @property
    def steps(self) -> int:
        """Steps an epoch."""
        return -(-self.splits.train_count // self.batch_size)

    def run(self, progress: Progress, backup: Backup, *, variables: Sequence[np.ndarray] = ()) -> None:
        """Trains until the last epoch, or until early stopping says so; then the best epoch's weights are back.

        Args:
            progress: where to begin; changed as training goes on.
            backup: kept up to date.
            variables: values of all variables at the place where to begin; none: as they are.

        Raises:
            Stopped: training was told to end; the backup has what it was at.
        """
        optimizer = self._optimizer()
        kept = [*self.model.variables, *optimizer.variables]
        if variables:
            for variable, value in zip(kept, variables, strict=True):
                variable.assign(value)
        replicas = Replicas(self.model, optimizer, self.devices, backup.notice, batch_size=self.batch_size)
        reports = Reports(self.log_dir, epochs=self.settings.epochs, steps=self.steps, speaks=self.devices.is_chief)
        validation = self._validation()
        while progress.epoch < self.settings.epochs and not self._is_final(progress):
            reports.begin_epoch(progress.epoch)
            self._train(replicas, progress, reports, backup, kept)
            validated = replicas.validate(_each(validation, progress, backup, kept))
            metrics = _means(progress.sums) | {
                f"{VALIDATION}{name}": value for name, value in _means(validated).items()
            }
            reports.end_epoch(progress.epoch, metrics)
            self._end_epoch(progress, metrics)
            backup.write(progress, kept)
        reports.close()
        progress.best.restore(self.model)

    def _train(
        self,
        replicas: Replicas,
        progress: Progress,
        reports: Reports,
        backup: Backup,
        kept: Sequence[keras.Variable],
    ) -> None:
        """The steps of an epoch that are left."""
        batches = self._training(progress)
        sums = tf.constant(progress.sums)
        for step in range(progress.step, self.steps):
            sums += tf.cast(replicas.train(batches), tf.float64)
            reports.end_step(step)
            if backup.is_due:
                progress.step, progress.sums = step + 1, sums.numpy()
                backup.write(progress, kept)
        progress.step, progress.sums = self.steps, sums.numpy()

    def _end_epoch(self, progress: Progress, metrics: dict[str, float]) -> None:
        if self.early_stopping:
            progress.best.take(self.model, loss=metrics[f"{VALIDATION}loss"], min_delta=self.early_stopping.min_delta)
        progress.end_epoch(metrics)

    def _is_final(self, progress: Progress) -> bool:
        return self.early_stopping is not None and progress.best.is_final(self.early_stopping)

    def _optimizer(self) -> keras.optimizers.Optimizer:
        with self.devices.strategy.scope():
            optimizer = build_optimizer(self.settings.optimizer, steps=self.steps * self.settings.epochs)
            if self.devices.precision == FLOAT16:
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            optimizer.build(self.model.trainable_variables)
        return optimizer

    def _training(self, progress: Progress) -> Iterator[Any]:
        """What is left of an epoch's batches; an epoch's are the same wherever training began."""
        _, height, width, _ = self.model.input_shape
        seeds = np.random.SeedSequence([self.seed, progress.epoch])

        def read(context: tf.distribute.InputContext) -> tf.data.Dataset:
            return augmented_batches(
                self.splits.train_files,
                height=height,
                width=width,
                batch_size=self.batch_size // self.devices.replicas,
                augmentation=self.train.augmentation,
                seed=int(seeds.generate_state(1)[0] >> 1),
                skip=progress.step * self.batch_size,
                share=_share(context),
            )

        return iter(self.devices.strategy.distribute_datasets_from_function(read))

    def _validation(self) -> Iterable[Any]:
        _, height, width, _ = self.model.input_shape
        count = -(-self.splits.val_count // self.batch_size) * self.batch_size

        def read(context: tf.distribute.InputContext) -> tf.data.Dataset:
            return weighted_batches(
                self.splits.val_files,
                height=height,
                width=width,
                batch_size=self.batch_size // self.devices.replicas,
                count=count,
                share=_share(context),
            )

        batches: Iterable[Any] = self.devices.strategy.distribute_datasets_from_function(read)
        return batches


def _each(batches: Iterable[Any], progress: Progress, backup: Backup, kept: Sequence[keras.Variable]) -> Iterator[Any]:
    """The batches, as long as nobody says that training is to end."""
    for batch in batches:
        if backup.notice.counts:
            backup.write(progress, kept)
        yield batch


def _share(context: tf.distribute.InputContext) -> Share:
    return Share(context.input_pipeline_id, context.num_input_pipelines)


def _means(sums: np.ndarray) -> dict[str, float]:
    losses, right, images = (float(value) for value in sums)
    return {"accuracy": right / images, "loss": losses / images}
