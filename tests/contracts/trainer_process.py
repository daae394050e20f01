"""Calls the Trainer's `run_fn` in a process of its own, as a machine that can be taken away at any time does."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

WAIT_S = 240


def start(
    root: Path, *, examples: Path, attempt: int = 1, train: dict[str, Any], pause_s: float = 0, **environment: str
) -> subprocess.Popen:
    """Starts a Trainer that writes below `root`; attempts differ in where their model goes, as TFX's do.

    It pauses after each step of training, where a signal is to come in the midst of an epoch.
    """
    arguments = {"root": str(root), "examples": str(examples), "attempt": attempt, "train": train, "pause_s": pause_s}
    return subprocess.Popen(
        [sys.executable, __file__, json.dumps(arguments)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen, *, code: int = 0) -> str:
    """What the process printed, once it has ended with this code."""
    output, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == code, output
    return output


def kill_at(
    process: subprocess.Popen,
    root: Path,
    *,
    phase: str,
    epoch: int,
    step: int = 0,
    by: signal.Signals = signal.SIGKILL,
) -> str:
    """Sends the process a signal once the backup is that far; gives what it printed until its end."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until and process.poll() is None:
        found = progress(root)
        if found and found["phase"] == phase and (found["epoch"], found["step"]) >= (epoch, step):
            process.send_signal(by)
            return process.communicate(timeout=WAIT_S)[0]
        time.sleep(0.02)
    raise AssertionError(process.communicate()[0])


def progress(root: Path) -> dict[str, Any] | None:
    """How far the backup is, if there is one."""
    for path in root.glob("backups/*.npz"):
        try:
            with np.load(path, allow_pickle=False) as saved:
                return json.loads(str(saved["progress"]))
        except (OSError, zipfile.BadZipFile):
            pass
    return None


def weights(root: Path, *, attempt: int = 1) -> np.ndarray:
    """All weights of the exported model, float32 [count]."""
    from roadworthy.models.export import load_keras

    model = load_keras(root / "model" / str(attempt) / "Format-Keras" / "model.keras")
    return np.concatenate([value.ravel() for value in model.get_weights()])


def main(arguments: dict[str, Any]) -> None:
    """Trains a network that is quick to build in place of a backbone."""
    from roadworthy.models.finetuning import fine_tune
    from roadworthy.models.finetuning.reports import Reports

    fine_tune.build_classifier = small_classifier
    pause_s, end_step = arguments.pop("pause_s"), Reports.end_step
    Reports.end_step = lambda *words: (end_step(*words), time.sleep(pause_s))
    train_below(**arguments)


def train_below(root: Path | str, *, examples: Path | str, train: dict[str, Any], attempt: int = 1) -> None:
    """Calls `run_fn` as TFX does."""
    from roadworthy.models.config import TrainingRun
    from roadworthy.models.finetuning.run_fn import run_fn

    run = {"model": {"backbone": {"weights": None}, "image_size": 32}, "train": train, "seed": 5}
    run_fn(
        SimpleNamespace(
            train_files=[f"{examples}/Split-train/*"],
            eval_files=[f"{examples}/Split-val/*"],
            serving_model_dir=f"{root}/model/{attempt}/Format-Serving",
            model_run_dir=f"{root}/model_run/{attempt}",
            custom_config={"training_run": TrainingRun.model_validate(run).model_dump_json()},
        )
    )


def small_classifier(settings: Any, *, classes: int) -> Any:
    """A network that has what is hard to go on with: batch statistics, and dropout's random state."""
    import keras

    layers = keras.layers
    image = keras.Input((settings.image_size, settings.image_size, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2)(layers.Rescaling(1 / 127.5, offset=-1.0)(image))
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.5)(x))
    x = layers.Dropout(0.2, name="head_dropout")(layers.GlobalAveragePooling2D(name="head_pool")(x))
    return keras.Model(image, layers.Dense(classes, activation="softmax", name="scores", dtype="float32")(x))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
