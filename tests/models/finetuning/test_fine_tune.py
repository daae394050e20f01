"""Fine-tuning learns real photos, keeps its promises about phases, seeds and stopping, and leaves whole files."""

from pathlib import Path

import keras
import numpy as np
import pytest

from roadworthy.models.config import (
    AugmentationSettings,
    BackboneSettings,
    EarlyStopping,
    ModelSettings,
    OptimizerSettings,
    PhaseSettings,
    TrainingRun,
    TrainSettings,
)
from roadworthy.models.finetuning.dataset import augmented_batches, image_batches
from roadworthy.models.finetuning.fine_tune import FULL, fine_tune, train
from roadworthy.models.finetuning.phase import Splits
from roadworthy.serving.errors import DataError

SIDE = 16
RATE = OptimizerSettings(name="adam", learning_rate=0.01, schedule="constant", warmup_fraction=0)
NO_AUGMENTATION = AugmentationSettings(flip=False, crop=0, brightness=0, contrast=0, saturation=0)

BRIGHTNESS = TrainSettings(batch_size=24, augmentation=NO_AUGMENTATION.model_copy(update={"brightness": 0.05}))


@pytest.fixture
def splits(examples_dir: Path) -> Splits:
    train_files, val_files = (str(examples_dir / f"Split-{name}" / "*") for name in ("train", "val"))
    return Splits((train_files,), (val_files,), 24, 8)


def tiny_classifier(seed: int = 0, *, normalised: bool = True) -> keras.Model:
    keras.utils.set_random_seed(seed)
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = keras.layers.Conv2D(8, 3, strides=2, name="conv")(x)
    if normalised:
        x = keras.layers.BatchNormalization(momentum=0.5, name="bn")(x)
    x = keras.layers.GlobalAveragePooling2D(name="head_pool")(keras.layers.ReLU()(x))
    return keras.Model(image, keras.layers.Dense(2, activation="softmax", name="scores")(x))


def settings(*, head: int = 0, full: int = 0, **others: object) -> TrainSettings:
    phases = {"head": PhaseSettings(epochs=head, optimizer=RATE), "full": PhaseSettings(epochs=full, optimizer=RATE)}
    return TrainSettings(batch_size=8, **phases, **others)  # type: ignore[arg-type]


def batch_pixels(seed: int, train_settings: TrainSettings, splits: Splits, *, batches: int = 3) -> np.ndarray:
    data = augmented_batches(
        splits.train_files,
        height=SIDE,
        width=SIDE,
        batch_size=train_settings.batch_size,
        augmentation=train_settings.augmentation,
        seed=seed,
    )
    return np.concatenate([images for images, _ in data.take(batches).as_numpy_iterator()])


def test_training_tells_a_flower_from_a_temple(splits: Splits, tmp_path: Path) -> None:
    model = tiny_classifier()
    _, full = train(model, settings(full=12, early_stopping=None), splits=splits, seed=0, log_dir=tmp_path)
    losses = full.metrics["val_loss"]
    assert losses[-1] < 0.5 * losses[0]
    assert full.metrics["val_accuracy"][-1] >= 0.75


def test_the_head_phase_changes_the_head_only(splits: Splits, tmp_path: Path) -> None:
    model = tiny_classifier()
    before = {weight.path: weight.numpy() for weight in model.weights}
    train(model, settings(head=1), splits=splits, seed=0, log_dir=tmp_path)
    changed = {weight.path for weight in model.weights if np.any(weight.numpy() != before[weight.path])}
    assert changed == {"scores/kernel", "scores/bias"}


def test_the_full_phase_changes_everything(splits: Splits, tmp_path: Path) -> None:
    model = tiny_classifier()
    before = {weight.path: weight.numpy() for weight in model.weights}
    train(model, settings(full=1), splits=splits, seed=0, log_dir=tmp_path)
    assert all(np.any(weight.numpy() != before[weight.path]) for weight in model.weights)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(splits: Splits, tmp_path: Path) -> None:
    weights = []
    for number, seed in enumerate((3, 3, 4)):
        model = tiny_classifier()
        train(model, settings(full=2), splits=splits, seed=seed, log_dir=tmp_path / str(number))
        weights.append(np.concatenate([value.ravel() for value in model.get_weights()]))
    np.testing.assert_allclose(weights[0], weights[1], atol=1e-6)
    assert np.abs(weights[0] - weights[2]).max() > 1e-3


def test_early_stopping_ends_the_full_phase_with_the_best_epoch_s_weights(splits: Splits, tmp_path: Path) -> None:
    # Without normalisation, whose statistics are made anew after the last epoch.
    model = tiny_classifier(normalised=False)
    wild = PhaseSettings(epochs=30, optimizer=RATE.model_copy(update={"name": "sgd", "learning_rate": 1.0}))
    stopping = TrainSettings(
        batch_size=8, head=PhaseSettings(epochs=0), full=wild, early_stopping=EarlyStopping(patience=1)
    )
    _, full = train(model, stopping, splits=splits, seed=0, log_dir=tmp_path)
    losses = full.metrics["val_loss"]
    assert len(losses) < 30
    images, labels = next(iter(image_batches(splits.val_files, height=SIDE, width=SIDE, batch_size=8)))
    loss = float(np.mean(-np.log(model(images).numpy()[np.arange(8), labels])))
    assert loss == pytest.approx(min(losses), rel=1e-3)


@pytest.mark.parametrize(("epochs", "settled"), [({"full": 1}, True), ({"head": 1}, False)])
def test_batch_statistics_are_those_of_the_final_weights_once_all_was_trained(
    epochs: dict[str, int], settled: bool, splits: Splits, tmp_path: Path
) -> None:
    model = tiny_classifier()
    train(model, settings(**epochs), splits=splits, seed=0, log_dir=tmp_path)
    images = [batch for batch, _ in image_batches(splits.train_files, height=SIDE, width=SIDE, batch_size=8)]
    before_norm = keras.Model(model.input, model.get_layer("conv").output)
    mean = np.mean([before_norm(batch).numpy().mean(axis=(0, 1, 2)) for batch in images], axis=0)
    assert np.allclose(model.get_layer("bn").moving_mean.numpy(), mean, atol=0.02) == settled


def test_each_phase_leaves_tensorboard_logs(splits: Splits, tmp_path: Path) -> None:
    train(tiny_classifier(), settings(head=1, full=1), splits=splits, seed=0, log_dir=tmp_path)
    for phase in ("head", "full"):
        assert list((tmp_path / phase / "train").glob("events.out.tfevents.*"))
        assert list((tmp_path / phase / "validation").glob("events.out.tfevents.*"))


def test_a_phase_left_out_has_no_metrics_and_the_other_is_named(splits: Splits, tmp_path: Path) -> None:
    head, full = train(tiny_classifier(), settings(full=1), splits=splits, seed=0, log_dir=tmp_path)
    assert head.metrics == {}
    assert full.phase == FULL


def test_without_a_terminal_progress_is_one_line_an_epoch(
    splits: Splits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(tiny_classifier(), settings(full=2), splits=splits, seed=0, log_dir=tmp_path)
    lines = [line for line in capsys.readouterr().out.splitlines() if "val_loss" in line]
    assert len(lines) == 2
    assert all("accuracy" in line and "\b" not in line for line in lines)


def test_augmentation_is_the_same_for_the_same_seed_and_differs_for_another(splits: Splits) -> None:
    once, again, other = (batch_pixels(seed, BRIGHTNESS, splits) for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert np.abs(once - other).max() > 1


def test_augmentation_draws_anew_each_epoch(splits: Splits) -> None:
    # The same seed shuffles both the same way, so the largest difference is each image's shift; a batch is an epoch.
    plain = BRIGHTNESS.model_copy(update={"augmentation": NO_AUGMENTATION})
    difference = batch_pixels(1, BRIGHTNESS, splits, batches=2) - batch_pixels(1, plain, splits, batches=2)
    first, second = np.abs(difference).max(axis=(1, 2, 3)).reshape(2, 24)
    assert np.abs(first - second).max() > 2


def test_an_empty_split_is_refused(examples_dir: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    empty = examples_dir / "Split-empty"
    empty.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(empty / "data.gz"), tf.io.TFRecordOptions(compression_type="GZIP")):
        pass
    run = TrainingRun(model=ModelSettings(backbone=BackboneSettings(weights=None)), train=settings(head=1), seed=0)
    with pytest.raises(DataError, match=r"split val must hold at least one image.*Split-empty"):
        fine_tune(
            run,
            train_files=[str(examples_dir / "Split-train" / "*")],
            val_files=[str(empty / "*")],
            saved_model_dir=tmp_path / "out",
            keras_file=tmp_path / "model.keras",
            log_dir=tmp_path / "logs",
        )
    assert not list(tmp_path.iterdir())
