"""Trains one small network on one device and on two, in a process of its own, as devices are made before all else."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 16
FULL = {"epochs": 3, "optimizer": {"name": "sgd", "learning_rate": 0.05, "momentum": 0.9}}
PLAIN = {"flip": False, "crop": 0, "brightness": 0, "contrast": 0, "saturation": 0}


def main(examples: Path, logs: Path) -> dict[str, Any]:
    """What came of each way to train: metrics, and all weights in one list."""
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    ways = {
        "one": {"strategy": "one-device"},
        "two": {"strategy": "mirrored"},
        "two, a batch that does not divide": {"strategy": "mirrored", "batch_size": 9},
        "one, float16": {"strategy": "one-device", "precision": "mixed_float16"},
        "two, float16": {"strategy": "mirrored", "precision": "mixed_float16"},
        "two, bfloat16": {"strategy": "mirrored", "precision": "mixed_bfloat16"},
    }
    return {name: trained(examples, logs / name, **way) for name, way in ways.items()}


def trained(examples: Path, logs: Path, **way: Any) -> dict[str, Any]:
    from roadworthy.models.config import TrainSettings
    from roadworthy.models.finetuning.devices import find_devices
    from roadworthy.models.finetuning.fine_tune import train
    from roadworthy.models.finetuning.phase import Splits

    settings = TrainSettings.model_validate(
        {"batch_size": 8, "head": {"epochs": 1}, "full": FULL, "augmentation": PLAIN, "early_stopping": None} | way
    )
    splits = Splits((f"{examples}/Split-train/*",), (f"{examples}/Split-val/*",), 24, 8)
    model = network()
    head, full = train(model, settings, splits=splits, seed=3, log_dir=logs)
    weights = np.concatenate([value.ravel() for value in model.get_weights()])
    return {
        "replicas": find_devices(settings).replicas,
        "head": head.metrics,
        "full": full.metrics,
        "weights": weights.tolist(),
        "dtypes": sorted({value.dtype.name for value in model.get_weights()}),
    }


def network() -> Any:
    """Without batch statistics, which every replica takes of its own images."""
    import keras

    keras.utils.set_random_seed(0)
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu", name="conv")(x)
    x = keras.layers.GlobalAveragePooling2D(name="head_pool")(x)
    return keras.Model(image, keras.layers.Dense(2, activation="softmax", name="scores", dtype="float32")(x))


if __name__ == "__main__":
    given, written = Path(sys.argv[1]), Path(sys.argv[2])
    (written / "ways.json").write_text(json.dumps(main(given, written)))
