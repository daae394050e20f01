"""The compiled pipeline of ten real images a class as processes, beside the same config in this process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from roadworthy.components.ingest.scan import scan
from roadworthy.serving.servables.open import open_servable

pytestmark = pytest.mark.containers

ROADWORTHY = [sys.executable, "-m", "roadworthy.pipeline.cli.main"]
TOKEN = "planted-token-that-must-not-be-written"  # noqa: S105
TOKEN_FILE = "the-token"  # noqa: S105
CONFIG = """
name: tiny
output: {output}
seed: 3
data:
  path: images
  fetch: {{dataset: fashion-mnist, images_per_class: 10}}
  splits: {{train: 5, val: 1, test: 4}}
model: {{image_size: 32}}
train:
  batch_size: 16
  head: {{epochs: 1}}
  full: {{epochs: 1}}
compress:
  recipes:
    - name: int8
      steps: [{{quantize: {{calibration_images: 16}}}}]
scorecard: {{latency_calls: 20}}
gate: {{budgets: {{max_quality_drop: 1.0, max_size: 50%}}}}
rehearsal: null
push: {{model_root: {output}/served}}
cloud:
  pipeline_root: gs://here/pipelines
  image: roadworthy
  kubeflow: {{host: "http://127.0.0.1:9", token_file: the-token}}
"""
# TensorFlow's own switch for ops that give the same answer each time; and secrets that nothing may write down.
ENVIRONMENT = {
    "TF_DETERMINISTIC_OPS": "1",
    "ROADWORTHY_KUBEFLOW_TOKEN": TOKEN,
    "GOOGLE_AUTH_TOKEN_FOR_TESTING": TOKEN,
}


def run(folder: Path, *words: str) -> subprocess.CompletedProcess:
    (folder / TOKEN_FILE).write_text(TOKEN)
    path = folder / f"{words[1]}.yaml"
    path.write_text(CONFIG.format(output=words[1]))
    return subprocess.run(
        [*ROADWORTHY, "run", str(path), *words, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **ENVIRONMENT},
        cwd=folder,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("containers")


@pytest.fixture(scope="module")
def here(home):
    return run(home, "--on", "local")


@pytest.fixture(scope="module")
def contained(home):
    return run(home, "--on", "local-containers")


def answers(home: Path, output: str) -> np.ndarray:
    version = next((home / output / "served" / "tiny").iterdir())
    folder = scan(home / "images")
    images = [(folder.root / file.path).read_bytes() for file in folder.files[:20]]
    servable = open_servable(version)
    try:
        return np.concatenate(
            [
                servable.predict("image_bytes", {"image_bytes": np.array([image], dtype=object)}, ["scores"])["scores"]
                for image in images
            ]
        )
    finally:
        servable.close()


def test_every_node_runs_and_the_model_is_pushed(contained):
    assert contained.returncode == 0, contained.stderr
    document = json.loads(contained.stdout)

    assert {node["state"] for node in document["nodes"]} == {"done"}
    assert document["pushed"].endswith("/served/tiny/1")
    assert document["verdict"]["chosen"] == "int8"


def test_it_answers_as_the_model_that_was_made_in_one_process(home, here, contained):
    assert here.returncode == 0, here.stderr
    assert contained.returncode == 0, contained.stderr

    np.testing.assert_array_equal(answers(home, "local"), answers(home, "local-containers"))


def test_no_credential_was_written_anywhere(home, here, contained):
    written = [
        path
        for path in home.rglob("*")
        if path.is_file() and not path.is_symlink() and path.name != TOKEN_FILE and TOKEN.encode() in path.read_bytes()
    ]

    assert written == []
    assert TOKEN not in here.stdout + here.stderr + contained.stdout + contained.stderr


def test_a_second_run_takes_from_the_cache_what_has_not_changed(home, contained):
    again = run(home, "--on", "local-containers")

    states = {node["node"]: node["state"] for node in json.loads(again.stdout)["nodes"]}
    assert {node for node, state in states.items() if state == "cached"} >= {
        "ImageFolderExampleGen",
        "Trainer",
        "Compressor-int8",
        "Scorecard",
    }
    assert states["BaselineScore"] == "done", "The first run's model is now the last blessed one."
    assert states["ModelRootPusher"] == "done"
