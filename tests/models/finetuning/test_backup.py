"""A backup is whole or not there, and only the training it was made of goes on from it."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from roadworthy.models.config import BackboneSettings, ModelSettings, TrainingRun, TrainSettings
from roadworthy.models.finetuning.backup import NO_BACKUP, Backup, Progress, backup_path
from roadworthy.models.finetuning.devices import Devices
from roadworthy.models.finetuning.stopping import Best

RUN = TrainingRun(model=ModelSettings(backbone=BackboneSettings(weights=None)), train=TrainSettings(), seed=1)
ONE = Devices(tf.distribute.get_strategy(), "float32")


def variables() -> list[keras.Variable]:
    return [keras.Variable(np.arange(6.0).reshape(2, 3)), keras.Variable(np.uint32([1, 2]), dtype="uint32")]


def halfway() -> Progress:
    best = Best(loss=0.5, weights=(np.ones((2, 2), np.float32), np.zeros(3, np.float32)), waited=1)
    return Progress("full", 2, 7, np.array([3.5, 2, 4]), {"full": {"loss": [0.7, 0.6]}, "head": {"loss": [1.0]}}, best)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "backups" / "one.npz"


def test_what_is_read_is_what_was_written(path: Path) -> None:
    Backup(str(path), every_s=0).write(halfway(), variables())

    found = Backup(str(path), every_s=0).read()

    assert found is not None
    progress, values = found
    assert (progress.phase, progress.epoch, progress.step) == ("full", 2, 7)
    assert progress.history == halfway().history
    assert (progress.best.loss, progress.best.waited) == (0.5, 1)
    np.testing.assert_array_equal(progress.sums, [3.5, 2, 4])
    for read, written in zip([*progress.best.weights, *values], [*halfway().best.weights, *variables()], strict=True):
        np.testing.assert_array_equal(read, written)
    assert values[1].dtype == np.uint32


def test_before_the_first_epoch_nothing_is_best(path: Path) -> None:
    Backup(str(path), every_s=0).write(Progress("head"), variables())

    progress, _ = Backup(str(path), every_s=0).read() or pytest.fail("no backup")

    assert progress.best == Best()


@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda _: b"", lambda _: b"PK"])
def test_a_damaged_backup_is_told_and_left_alone(path: Path, damage, caplog: pytest.LogCaptureFixture) -> None:
    backup = Backup(str(path), every_s=0)
    backup.write(halfway(), variables())
    path.write_bytes(damage(path.read_bytes()))

    assert backup.read() is None
    assert "one.npz is damaged, so training starts anew" in caplog.text


def test_nothing_is_left_beside_a_backup_and_nothing_after_it_was_removed(path: Path) -> None:
    backup = Backup(str(path), every_s=0)
    backup.write(halfway(), variables())
    assert [file.name for file in path.parent.iterdir()] == ["one.npz"]

    backup.remove()

    assert not list(path.parent.iterdir())


def test_only_the_chief_writes(path: Path) -> None:
    backup = Backup(str(path), every_s=0, writes=False)
    backup.write(halfway(), variables())

    assert not path.exists()
    assert not backup.is_due


def test_a_backup_is_due_after_so_many_seconds(path: Path) -> None:
    assert Backup(str(path), every_s=0).is_due
    assert not Backup(str(path), every_s=1000).is_due


def test_without_a_folder_nothing_is_kept() -> None:
    NO_BACKUP.write(halfway(), variables())

    assert NO_BACKUP.read() is None


def test_another_training_has_another_file(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(b"abc")
    files = [f"{tmp_path}/*.gz"]
    path = backup_path("gs://bucket/backups", RUN, ONE, files=files)
    assert path.startswith("gs://bucket/backups/")
    assert path == backup_path("gs://bucket/backups", RUN, ONE, files=files)

    others = [
        backup_path("gs://bucket/backups", RUN.model_copy(update={"seed": 2}), ONE, files=files),
        backup_path("gs://bucket/backups", RUN, ONE._replace(precision="mixed_float16"), files=files),
    ]
    (tmp_path / "a.gz").write_bytes(b"abcd")
    others.append(backup_path("gs://bucket/backups", RUN, ONE, files=files))

    assert len({path, *others}) == 4
