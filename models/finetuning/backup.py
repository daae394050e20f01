"""What an interrupted training goes on from: one file, written aside and renamed, so that it is whole or not there.

`keras.callbacks.BackupAndRestore` writes weights and epoch one after the other and knows nothing of early stopping or
of the step within an epoch; see docs/adr/0008-one-loop-for-all-devices.md.
"""

import hashlib
import io
import json
import logging
import posixpath
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import keras
import numpy as np
import tensorflow as tf

from roadworthy.models.config import TrainingRun
from roadworthy.models.finetuning.devices import Devices
from roadworthy.models.finetuning.notice import Notice
from roadworthy.models.finetuning.stopping import Best
from roadworthy.serving.errors import Stopped

_log = logging.getLogger(__name__)
_VARIABLE: Final = "variable"
_BEST: Final = "best"
_PROGRESS: Final = "progress"


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        phase: the phase it is in.
        epoch: full epochs of that phase.
        step: steps of the epoch that is under way.
        sums: of that epoch's losses, right answers and images, float64 [3].
        history: metrics by phase and name, a value an epoch.
        best: what early stopping goes by.
    """

    phase: str = ""
    epoch: int = 0
    step: int = 0
    sums: np.ndarray = field(default_factory=lambda: np.zeros(3))
    history: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    best: Best = field(default_factory=Best)

    def is_past(self, phase: str) -> bool:
        """Whether a phase is over and another one under way."""
        return phase in self.history and phase != self.phase

    def begin(self, phase: str) -> bool:
        """Starts a phase, unless it was under way already; then it gives True and goes on."""
        if self.phase == phase:
            return True
        self.phase, self.epoch, self.step, self.sums, self.best = phase, 0, 0, np.zeros(3), Best()
        return False

    def end_epoch(self, metrics: dict[str, float]) -> None:
        """Adds an epoch's metrics."""
        history = self.history.setdefault(self.phase, {})
        for name, value in metrics.items():
            history.setdefault(name, []).append(value)
        self.epoch, self.step, self.sums = self.epoch + 1, 0, np.zeros(3)


class Backup:
    """The backup file of one training.

    Attributes:
        notice: whether training was told to end, so that the next backup is its last act.
    """

    def __init__(self, path: str | None, *, every_s: float, writes: bool = True, notice: Notice | None = None) -> None:
        """Names the file; nothing is read or written yet.

        Args:
            path: a local path or one that TensorFlow's file system knows; None: nothing is kept.
            every_s: seconds between backups within an epoch.
            writes: whether this is the process that writes; all read.
            notice: of the end; None: of this process alone.
        """
        self._path = path
        self._every_s = every_s
        self._writes = writes and path is not None
        self._written = time.monotonic()
        self.notice = notice or Notice()

    @property
    def is_due(self) -> bool:
        """Whether the last one is old enough, or there may be no later one."""
        is_old = self._writes and time.monotonic() - self._written >= self._every_s
        return is_old or self.notice.counts

    def read(self) -> tuple[Progress, list[np.ndarray]] | None:
        """How far training had come, and the values of all its variables; None if there is no backup of use."""
        if self._path is None or not tf.io.gfile.exists(self._path):
            return None
        try:
            with tf.io.gfile.GFile(self._path, "rb") as file:
                content = io.BytesIO(file.read())
            with np.load(content, allow_pickle=False) as saved:
                arrays = dict(saved)
            return _progress(arrays), _series(arrays, _VARIABLE)
        except (zipfile.BadZipFile, ValueError, KeyError, TypeError, EOFError) as error:
            _log.warning("%s is damaged, so training starts anew: %s", self._path, error)
            return None

    def write(self, progress: Progress, variables: Sequence[keras.Variable]) -> None:
        """Replaces the backup.

        Raises:
            Stopped: training was told to end, and what there is was kept.
        """
        if self._writes and self._path is not None:
            self._replace(self._path, progress, variables)
        self.stop_if_told()

    def stop_if_told(self) -> None:
        """Ends a training that was told to end.

        Raises:
            Stopped: it was.
        """
        if self.notice.counts:
            by = "SIGTERM in one of the workers" if self.notice.is_shared else "SIGTERM"
            raise Stopped(
                f"Training was told to end before it was through. Received: {by}. What it had learned is in "
                f"{self._path}: the same command goes on there."
            )

    def _replace(self, path: str, progress: Progress, variables: Sequence[keras.Variable]) -> None:
        arrays = {f"{_VARIABLE}{index}": value.numpy() for index, value in enumerate(variables)}
        arrays |= {f"{_BEST}{index}": value for index, value in enumerate(progress.best.weights)}
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **{_PROGRESS: np.array(_json(progress)), "sums": progress.sums}, **arrays)
        tf.io.gfile.makedirs(posixpath.dirname(path))
        with tf.io.gfile.GFile(f"{path}.new", "wb") as file:
            file.write(content.getvalue())
        tf.io.gfile.rename(f"{path}.new", path, overwrite=True)
        self._written = time.monotonic()

    def remove(self) -> None:
        """Removes the file once nothing is to go on from it."""
        if self._writes and self._path and tf.io.gfile.exists(self._path):
            tf.io.gfile.remove(self._path)


NO_BACKUP: Final = Backup(None, every_s=float("inf"))


def backup_path(folder: str, run: TrainingRun, devices: Devices, *, files: Sequence[str]) -> str:
    """Names the file after the training: one of other settings, files or another batch must not go on from it."""
    paths = sorted(path for pattern in files for path in tf.io.gfile.glob(pattern))
    content = [
        run.model_dump_json(),
        f"{devices.precision} {devices.global_batch(run.train.batch_size)}",
        *(f"{path} {tf.io.gfile.stat(path).length}" for path in paths),
    ]
    key = hashlib.sha256("\n".join(content).encode()).hexdigest()[:16]
    return posixpath.join(folder, f"{key}.npz")


def _json(progress: Progress) -> str:
    best = {"loss": progress.best.loss, "waited": progress.best.waited}
    counts = {"phase": progress.phase, "epoch": progress.epoch, "step": progress.step}
    return json.dumps({**counts, "history": progress.history, "best": best})


def _progress(arrays: dict[str, np.ndarray]) -> Progress:
    counts = json.loads(str(arrays[_PROGRESS]))
    best = Best(**counts.pop("best"), weights=tuple(_series(arrays, _BEST)))
    return Progress(**counts, sums=arrays["sums"], best=best)


def _series(arrays: dict[str, np.ndarray], name: str) -> list[np.ndarray]:
    count = sum(key.startswith(name) for key in arrays)
    return [arrays[f"{name}{index}"] for index in range(count)]
