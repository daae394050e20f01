"""TFX's Trainer calls `run_fn` by its import path. Knows TFX by shape only."""

import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from roadworthy.models.config import TrainingRun
from roadworthy.models.export import KERAS_FILE
from roadworthy.models.finetuning.fine_tune import fine_tune

TRAINING_RUN: Final = "training_run"
BACKUP_DIR: Final = "backup_dir"
BACKUPS: Final = "backups"


class FnArgs(Protocol):
    """What is used of `tfx.components.FnArgs`."""

    train_files: Sequence[str]
    eval_files: Sequence[str]
    serving_model_dir: str
    model_run_dir: str
    custom_config: Mapping[str, Any]


def run_fn(fn_args: FnArgs) -> None:
    """Fine-tunes and exports: the version folder, and the Keras file in `Format-Keras/` beside it.

    Args:
        fn_args: `custom_config["training_run"]` holds a `TrainingRun` as JSON; `eval_files` is the val split.
            `custom_config["backup_dir"]`, where it is given, is the folder for backups, for runners that give the
            outputs of every attempt a folder of its own.

    Raises:
        RoadworthyError: as `fine_tune`.
    """
    saved_model_dir = Path(fn_args.serving_model_dir)
    fine_tune(
        TrainingRun.model_validate_json(fn_args.custom_config[TRAINING_RUN]),
        train_files=fn_args.train_files,
        val_files=fn_args.eval_files,
        saved_model_dir=saved_model_dir,
        keras_file=saved_model_dir.parent / KERAS_FILE,
        log_dir=Path(fn_args.model_run_dir),
        backup_dir=fn_args.custom_config.get(BACKUP_DIR) or backup_dir(fn_args.serving_model_dir),
    )


def backup_dir(serving_model_dir: str) -> str:
    """The folder for backups: of a path like `Trainer/model/17/Format-Serving`, the part that the next attempt shares.

    On Vertex AI and Kubeflow that is the run's folder, as the path is `RUN/Trainer_17/model/Format-Serving` there.
    """
    shared = serving_model_dir.rstrip("/")
    for _ in range(3):
        shared = posixpath.dirname(shared)
    return posixpath.join(shared, BACKUPS)
