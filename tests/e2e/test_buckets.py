"""The compiled pipeline with everything it reads and writes in buckets, on a Cloud Storage on loopback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from contracts.pictures import encode, pixels
from roadworthy.serving.servables.open import open_servable

pytestmark = pytest.mark.containers

BUCKET = "rw-bucket"
TOKEN = "planted-token-of-the-bucket"  # noqa: S105
CONFIG = """
name: waves
output: run
seed: 3
data: {path: not-on-this-machine, splits: {train: 5, val: 2, test: 3}}
model: {image_size: 32}
train: {batch_size: 16, head: {epochs: 1}, full: {epochs: 0}}
compress:
  recipes:
    - name: pruned
      steps: [{prune: {sparsity: 0.5, epochs: 1}}]
scorecard: {latency_calls: 20}
gate: {budgets: {max_quality_drop: 1.0, max_size: 150%}}
push: {model_root: not-on-this-machine-either}
cloud:
  pipeline_root: gs://rw-bucket/pipelines
  data: gs://rw-bucket/photos
  model_root: gs://rw-bucket/served
  image: roadworthy
"""


@pytest.fixture(scope="module")
def bucket(gcs_process):
    """The server, with forty images of two classes: waves, and waves of half the light."""
    for number in range(40):
        shown = pixels(number) // (1 + number % 2)
        gcs_process.buckets.put(BUCKET, f"photos/{('bright', 'dark')[number % 2]}/{number}.png", encode(shown), {})
    return gcs_process


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("buckets")
    (folder / "waves.yaml").write_text(CONFIG)
    return folder


def run(home: Path, bucket, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "roadworthy.pipeline.cli.main", "run", "waves.yaml", "--on", "local-containers"]
    return subprocess.run(
        [*command, "--in-buckets", "--json", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **bucket.environment(token=TOKEN)},
        cwd=home,
    )


@pytest.fixture(scope="module")
def first(home, bucket):
    return run(home, bucket, "--set", "epochs_pruned=2")


@pytest.fixture(scope="module")
def second(home, bucket, first):
    assert first.returncode == 0, first.stderr
    return run(home, bucket, "--set", "epochs_pruned=3")


def epochs_of(bucket, document: dict) -> int:
    """What the pruning step in the bucket says of itself."""
    name = f"pipelines/waves/{document['run_id']}/Compressor-pruned/model/steps.json"
    (record,) = json.loads(bucket.read(BUCKET, name))
    return record["step"]["prune"]["epochs"]


def test_every_node_works_on_buckets_and_the_model_is_pushed_into_one(home, bucket, first, tmp_path):
    assert first.returncode == 0, first.stderr
    document = json.loads(first.stdout)

    assert {node["state"] for node in document["nodes"]} == {"done"}
    assert document["pushed"] == f"gs://{BUCKET}/served/waves/1"
    assert document["rehearsal"]["faults"] == []
    servable = open_servable(bucket.fetch(document["pushed"], tmp_path / "waves" / "1"))
    scores = servable.predict("image_bytes", {"image_bytes": np.array([encode(pixels(0))], dtype=object)}, ["scores"])[
        "scores"
    ]
    servable.close()
    assert scores.shape == (1, 2)


def test_on_this_machine_are_logs_and_records_alone(home, second):
    assert second.returncode == 0, second.stderr

    assert sorted(path.name for path in home.iterdir()) == ["run", "waves.yaml"]
    assert {path.suffix for path in (home / "run").rglob("*") if path.is_file()} <= {".log", ".json", ".lock", ""}
    assert not list(home.rglob("*.tflite")) + list(home.rglob("*.pb")) + list(home.rglob("*.keras"))


def test_epochs_of_a_step_are_set_without_compiling_anew_and_what_they_leave_alone_is_cached(bucket, first, second):
    one, two = json.loads(first.stdout), json.loads(second.stdout)

    assert (epochs_of(bucket, one), epochs_of(bucket, two)) == (2, 3)
    states = {node["node"]: node["state"] for node in two["nodes"]}
    assert {states[node] for node in ("ImageFolderExampleGen", "StatisticsGen", "Trainer")} == {"cached"}
    assert {states[node] for node in ("Compressor-pruned", "Scorecard", "ModelRootPusher")} == {"done"}
    assert two["pushed"] == f"gs://{BUCKET}/served/waves/2"


def test_as_many_epochs_were_trained(home, first, second):
    for done, epochs in ((first, 2), (second, 3)):
        log = (home / "run" / "logs" / json.loads(done.stdout)["run_id"] / "Compressor-pruned.log").read_text()
        assert f"Epoch {epochs}/{epochs}" in log


def test_no_credential_was_written_into_the_bucket_or_here(home, bucket, second):
    stored = [bucket.read(BUCKET, name) for name in bucket.names(BUCKET)]
    written = [path.read_bytes() for path in home.rglob("*") if path.is_file()]

    assert TOKEN in bucket.tokens, "It was never asked for."
    assert not [content for content in (*stored, *written) if TOKEN.encode() in content]
