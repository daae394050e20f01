"""What a model is trained on follows from the machine, or from the config."""

import json

import pytest
import tensorflow as tf

from roadworthy.models.config import TrainSettings
from roadworthy.models.finetuning.devices import Devices, find_devices, precision_of, strategy_on_this_machine
from roadworthy.serving.errors import ConfigError


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TF_CONFIG", "TPU_NAME", "TPU_WORKER_ID"):
        monkeypatch.delenv(name, raising=False)


def tf_config(**cluster: object) -> str:
    return json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}})


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [
        ([], "float32"),
        ([(9, 0)], "mixed_bfloat16"),
        ([(8, 0), (8, 9)], "mixed_bfloat16"),
        ([(7, 5)], "mixed_float16"),
        ([(8, 0), (7, 0)], "mixed_float16"),
    ],
)
def test_the_oldest_gpu_decides_what_is_computed_in(capabilities: list[tuple[int, int]], precision: str) -> None:
    assert precision_of(capabilities) == precision


def test_a_machine_without_accelerators_trains_plainly() -> None:
    devices = find_devices(TrainSettings())

    assert (devices.are_plain, devices.replicas, devices.is_chief) == (True, 1, True)


def test_the_config_decides_over_the_machine() -> None:
    devices = find_devices(TrainSettings(strategy="mirrored", precision="mixed_bfloat16"))

    assert isinstance(devices.strategy, tf.distribute.MirroredStrategy)
    assert devices.precision == "mixed_bfloat16"


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({"TF_CONFIG": tf_config(worker=["a:1", "b:1"])}, "multi-worker"),
        ({"TF_CONFIG": tf_config(chief=["a:1"], worker=["b:1"])}, "multi-worker"),
        ({"TF_CONFIG": tf_config(worker=["a:1"])}, "one-device"),
        ({"TF_CONFIG": "{}"}, "one-device"),
        ({"TPU_NAME": "local"}, "tpu"),
        ({}, "one-device"),
    ],
)
def test_the_environment_tells_the_strategy(
    environment: dict[str, str], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert strategy_on_this_machine() == kind


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no json", "must be a JSON object"),
        ("[]", "must be a JSON object"),
        ('{"cluster": {"worker": "a:1"}}', "must list the addresses"),
        (tf_config(worker=["a:1"], ps=["b:1"]), "tasks chief and worker only.*Received: ps"),
    ],
)
def test_a_tf_config_that_cannot_be_taken_is_told(text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", text)

    with pytest.raises(ConfigError, match=message):
        find_devices(TrainSettings())


def test_several_workers_need_a_tf_config() -> None:
    with pytest.raises(ConfigError, match=r"TF_CONFIG must be set for train\.strategy: multi-worker"):
        find_devices(TrainSettings(strategy="multi-worker"))


class Replicated(Devices):
    replicas = 3  # type: ignore[assignment]


@pytest.mark.parametrize(("asked", "taken"), [(64, 63), (63, 63), (2, 3), (1, 3)])
def test_a_batch_that_does_not_divide_is_made_smaller_but_never_empty(asked: int, taken: int) -> None:
    assert Replicated(tf.distribute.get_strategy(), "float32").global_batch(asked) == taken
