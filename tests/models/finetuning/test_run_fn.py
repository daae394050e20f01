"""TFX's entry point, end to end on real photos with a real backbone."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from roadworthy.models.config import (
    BackboneSettings,
    ModelSettings,
    OptimizerSettings,
    PhaseSettings,
    TrainingRun,
    TrainSettings,
)
from roadworthy.models.export import load_keras
from roadworthy.models.finetuning.dataset import image_batches
from roadworthy.models.finetuning.run_fn import run_fn
from roadworthy.serving.contract import EXAMPLES_INPUT, EXAMPLES_SIGNATURE, LABEL, SCORES, ModelCard

RUN = TrainingRun(
    model=ModelSettings(backbone=BackboneSettings(name="MobileNet", weights=None), image_size=32),
    train=TrainSettings(
        batch_size=12,
        head=PhaseSettings(epochs=1),
        full=PhaseSettings(epochs=1, optimizer=OptimizerSettings(name="sgd", learning_rate=1e-3)),
    ),
    seed=5,
)


@pytest.fixture(scope="module")
def trainer_output(examples_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Trainer's output folders, filled by `run_fn` given what TFX gives."""
    root = tmp_path_factory.mktemp("trainer")
    run_fn(
        SimpleNamespace(
            train_files=[str(examples_dir / "Split-train" / "*")],
            eval_files=[str(examples_dir / "Split-val" / "*")],
            serving_model_dir=str(root / "model" / "Format-Serving"),
            model_run_dir=str(root / "model_run"),
            custom_config={"training_run": RUN.model_dump_json()},
        )
    )
    return root


def test_the_version_folder_carries_the_labels_and_size(trainer_output: Path) -> None:
    card = ModelCard.read(trainer_output / "model" / "Format-Serving")
    assert card == ModelCard(labels=("flower", "temple"), image_height=32, image_width=32)


def test_the_exported_model_answers_real_examples_as_the_keras_file_does(
    trainer_output: Path, examples_dir: Path
) -> None:
    files = [str(examples_dir / "Split-test" / "*")]
    records = list(tf.data.TFRecordDataset(tf.io.gfile.glob(files), "GZIP").as_numpy_iterator())
    loaded = tf.saved_model.load(str(trainer_output / "model" / "Format-Serving"))
    answer = loaded.signatures[EXAMPLES_SIGNATURE](**{EXAMPLES_INPUT: tf.constant(records)})
    images, _ = next(iter(image_batches(files, height=32, width=32, batch_size=8)))
    expected = load_keras(trainer_output / "model" / "Format-Keras" / "model.keras")(images, training=False).numpy()
    assert_allclose(answer[SCORES], expected, atol=1e-5)
    named = np.array([b"flower", b"temple"])[expected.argmax(-1)]
    assert answer[LABEL].numpy().tolist() == named.tolist()


def test_the_logs_lie_in_the_model_run(trainer_output: Path) -> None:
    assert sorted(folder.name for folder in (trainer_output / "model_run").iterdir()) == ["full", "head"]
