"""Two devices come to what one comes to; the devices are two CPUs of TensorFlow's own making."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts import replicated_training


@pytest.fixture(scope="module")
def ways(examples_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    script = str(replicated_training.__file__)
    written = tmp_path_factory.mktemp("ways")
    command = [sys.executable, script, str(examples_dir), str(written)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return json.loads((written / "ways.json").read_text())


def test_two_devices_train_the_weights_that_one_trains(ways: dict[str, Any]) -> None:
    one, two = ways["one"], ways["two"]

    assert (one["replicas"], two["replicas"]) == (1, 2)
    np.testing.assert_allclose(two["weights"], one["weights"], atol=1e-5)


@pytest.mark.parametrize("phase", ["head", "full"])
@pytest.mark.parametrize("metric", ["loss", "accuracy", "val_loss", "val_accuracy"])
def test_two_devices_report_the_metrics_that_one_reports(ways: dict[str, Any], phase: str, metric: str) -> None:
    np.testing.assert_allclose(ways["two"][phase][metric], ways["one"][phase][metric], atol=1e-5)


def test_a_batch_that_does_not_divide_trains_as_the_smaller_one_that_does(ways: dict[str, Any]) -> None:
    odd = ways["two, a batch that does not divide"]

    np.testing.assert_allclose(odd["weights"], ways["two"]["weights"], atol=1e-6)


@pytest.mark.parametrize("way", ["one, float16", "two, float16", "two, bfloat16"])
def test_mixed_precision_learns_as_float32_does_and_leaves_float32(ways: dict[str, Any], way: str) -> None:
    mixed, plain = ways[way], ways["one"]

    assert mixed["dtypes"] == ["float32"]
    assert np.isfinite(mixed["weights"]).all()
    # Half precision was really used: otherwise the weights would be the same.
    assert np.abs(np.subtract(mixed["weights"], plain["weights"])).max() > 1e-6
    assert mixed["full"]["val_loss"][-1] == pytest.approx(plain["full"]["val_loss"][-1], abs=0.02)
