"""A machine that is taken away in the middle of training costs what was trained since the last backup, and no more."""

import signal
from pathlib import Path

import numpy as np
import pytest

from contracts.trainer_process import (
    finish,
    kill_at,
    progress,
    small_classifier,
    start,
    train_below,
    weights,
)
from roadworthy.models.finetuning import fine_tune

TRAIN = {
    "batch_size": 4,
    "head": {"epochs": 1},
    "full": {"epochs": 3, "optimizer": {"name": "adamw", "learning_rate": 1e-3}},
    "early_stopping": {"patience": 3},
    "backup_every_s": 0,
}


@pytest.fixture(scope="module")
def undisturbed(examples_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    root = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fine_tune, "build_classifier", small_classifier)
        train_below(root, examples=examples_dir, train=TRAIN)
    return weights(root)


def test_a_killed_trainer_goes_on_in_the_middle_of_an_epoch_and_ends_as_if_undisturbed(
    undisturbed: np.ndarray, examples_dir: Path, tmp_path: Path
) -> None:
    kill_at(start(tmp_path, examples=examples_dir, train=TRAIN), tmp_path, phase="full", epoch=1, step=2)
    killed = progress(tmp_path)
    assert killed
    assert 0 < killed["step"] < 6

    printed = finish(start(tmp_path, examples=examples_dir, train=TRAIN, attempt=2))

    # The head's epoch and the full phase's first one are not trained again.
    assert [line for line in printed.splitlines() if line.startswith("Epoch")] == [
        f"Epoch {epoch + 1}/3" for epoch in range(killed["epoch"], 3)
    ]
    np.testing.assert_allclose(weights(tmp_path, attempt=2), undisturbed, atol=1e-5)
    assert not list(tmp_path.glob("backups/*"))


def test_a_trainer_that_is_told_to_end_writes_a_backup_at_once_and_says_so(
    undisturbed: np.ndarray, examples_dir: Path, tmp_path: Path
) -> None:
    train = {**TRAIN, "backup_every_s": 3600}
    first = start(tmp_path, examples=examples_dir, train=train, pause_s=0.3)
    printed = kill_at(first, tmp_path, phase="full", epoch=1, by=signal.SIGTERM)
    assert "Training was told to end before it was through. Received: SIGTERM." in printed
    kept = progress(tmp_path)
    assert kept
    # Within an epoch nothing else writes one for an hour.
    assert kept["epoch"] == 1
    assert kept["step"] > 0

    finish(start(tmp_path, examples=examples_dir, train=train, attempt=2))

    np.testing.assert_allclose(weights(tmp_path, attempt=2), undisturbed, atol=1e-5)
