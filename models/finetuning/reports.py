"""Tells how training goes: a line or a bar an epoch for people, and TensorBoard's logs."""

import sys
from collections.abc import Mapping
from pathlib import Path

import keras
import tensorflow as tf

VALIDATION = "val_"


class Reports:
    """What the chief of a training prints and logs; the other workers are silent."""

    def __init__(self, log_dir: Path, *, epochs: int, steps: int, speaks: bool) -> None:
        """Prepares; nothing is written before the first epoch ends.

        Args:
            log_dir: gets a folder `train` and a folder `validation`.
            epochs: of the phase.
            steps: of an epoch.
            speaks: whether this process says anything.
        """
        self._log_dir = log_dir
        self._speaks = speaks
        self._lively = speaks and sys.stdout.isatty()
        self._writers: dict[str, tf.summary.SummaryWriter] = {}
        self._bar = keras.callbacks.ProgbarLogger()
        # A bar for people; one line an epoch for log files.
        self._bar.set_params({"verbose": (1 if self._lively else 2) if speaks else 0, "epochs": epochs, "steps": steps})

    def begin_epoch(self, epoch: int) -> None:
        """Epochs count from 0."""
        self._bar.on_epoch_begin(epoch)

    def end_step(self, step: int) -> None:
        """Moves the bar, where there is one."""
        if self._lively:
            self._bar.on_train_batch_end(step)

    def end_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Prints an epoch's metrics and adds them to the logs under the names that Keras gives them."""
        self._bar.on_epoch_end(epoch, metrics)
        if not self._speaks:
            return
        for name, value in metrics.items():
            folder = "validation" if name.startswith(VALIDATION) else "train"
            with self._writer(folder).as_default():
                tf.summary.scalar(f"epoch_{name.removeprefix(VALIDATION)}", value, step=epoch)

    def close(self) -> None:
        """Writes what is still held back."""
        for writer in self._writers.values():
            writer.close()

    def _writer(self, folder: str) -> tf.summary.SummaryWriter:
        if folder not in self._writers:
            self._writers[folder] = tf.summary.create_file_writer(str(self._log_dir / folder))
        return self._writers[folder]
