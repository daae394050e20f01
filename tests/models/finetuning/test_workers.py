"""Two processes train one model over the loopback; one is killed, both start again, and nothing is lost."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.ports import free_ports
from contracts.trainer_process import WAIT_S, finish, kill_at, progress, start, weights

TRAIN = {
    "batch_size": 8,
    "head": {"epochs": 1},
    "full": {"epochs": 2, "optimizer": {"name": "adamw", "learning_rate": 1e-3}},
    "early_stopping": {"patience": 3},
    "backup_every_s": 0,
}


def start_workers(
    root: Path, *, examples: Path, attempt: int = 1, train: dict[str, Any] = TRAIN, pause_s: float = 0
) -> list[subprocess.Popen]:
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    tasks = [json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}}) for index in range(2)]
    more = {"examples": examples, "attempt": attempt, "train": train, "pause_s": pause_s}
    return [start(root, **more, TF_CONFIG=task) for task in tasks]


@pytest.fixture(scope="module")
def undisturbed(examples_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("undisturbed")
    for worker in start_workers(root, examples=examples_dir):
        finish(worker)
    return root


def test_the_chief_alone_writes_and_speaks(undisturbed: Path) -> None:
    assert sorted(path.name for path in undisturbed.iterdir()) == ["backups", "model", "model_run"]
    assert sorted(path.name for path in (undisturbed / "model" / "1").iterdir()) == ["Format-Keras", "Format-Serving"]
    assert not list(undisturbed.glob("backups/*"))


def test_workers_go_on_where_they_were_when_one_was_killed(
    undisturbed: Path, examples_dir: Path, tmp_path: Path
) -> None:
    survivor, victim = start_workers(tmp_path, examples=examples_dir)
    kill_at(victim, tmp_path, phase="full", epoch=0, step=2)
    output, _ = survivor.communicate(timeout=WAIT_S)
    assert survivor.returncode == 1
    assert "All workers in TF_CONFIG must be there until the end" in output
    killed = progress(tmp_path)
    assert killed

    again = start_workers(tmp_path, examples=examples_dir, attempt=2)
    printed, _ = [finish(worker) for worker in again]

    epochs = [line for line in printed.splitlines() if line.startswith("Epoch")]
    assert epochs == [f"Epoch {epoch + 1}/2" for epoch in range(killed["epoch"], 2)]
    np.testing.assert_allclose(weights(tmp_path, attempt=2), weights(undisturbed), atol=1e-4)


def test_a_notice_to_another_worker_than_the_chief_ends_all_after_the_same_step_with_a_backup(
    undisturbed: Path, examples_dir: Path, tmp_path: Path
) -> None:
    train = {**TRAIN, "backup_every_s": 3600}
    chief, told = start_workers(tmp_path, examples=examples_dir, train=train, pause_s=0.3)
    outputs = [kill_at(told, tmp_path, phase="full", epoch=1, by=signal.SIGTERM), chief.communicate(timeout=WAIT_S)[0]]
    for output in outputs:
        assert "Training was told to end before it was through. Received: SIGTERM in one of the workers." in output
    kept = progress(tmp_path)
    assert kept
    # Within an epoch nothing else writes one for an hour.
    assert (kept["phase"], kept["epoch"]) == ("full", 1)
    assert kept["step"] > 0

    for worker in start_workers(tmp_path, examples=examples_dir, train=train, attempt=2):
        finish(worker)

    np.testing.assert_allclose(weights(tmp_path, attempt=2), weights(undisturbed), atol=1e-4)
