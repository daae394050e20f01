"""`roadworthy batch-predict` on the local Vertex AI, whose job asks the exported model."""

import csv
import json

import pytest
from click.testing import CliRunner

from contracts.vertex.colours import colour_images, push_settings, write_colours
from contracts.vertex.server import Fault
from roadworthy.pipeline.cli.main import cli
from roadworthy.serving.rollout.check import Checker
from roadworthy.serving.rollout.digest import digest_label
from roadworthy.serving.rollout.plan import deploying
from roadworthy.serving.rollout.run import Rollout

CONFIG = """
name: colours
output: out
data: {path: photos}
cloud: {project: demo-project, region: us-central1, pipeline_root: gs://rw-bucket/root, image: roadworthy/server:1}
deploy: {poll_s: 0.001}
"""


@pytest.fixture
def ask(tmp_path, vertex, monkeypatch):
    """Asks the champion of a model that was deployed, about three colours and what is no image."""
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM", f"https://{vertex.address}/")
    push = push_settings().model_copy(update={"project": "demo-project"})
    folder = write_colours(tmp_path / "model")
    Rollout(push.target(folder), deploying(digest_label(folder), push.ramp), Checker(colour_images(), push.ramp)).run()
    (tmp_path / "run.yaml").write_text(CONFIG)
    (tmp_path / "photos").mkdir()
    for name, image in zip(("red", "green", "blue"), colour_images(), strict=False):
        (tmp_path / "photos" / f"{name}.png").write_bytes(image)
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(cli, ["batch-predict", "photos", "--config", "run.yaml", *words])


def test_every_file_is_answered(ask, tmp_path, vertex):
    done = ask("--out", "labels.csv", "--json")
    assert json.loads(done.stdout) == {"answered": 3, "failed": 0, "out": "labels.csv"}
    assert [line.split()[-2] for line in done.stderr.splitlines()] == ["running", "succeeded"]
    rows = list(csv.DictReader((tmp_path / "labels.csv").open()))
    assert {row["file"]: row["label"] for row in rows} == {
        f"photos/{name}.png": name for name in ("red", "green", "blue")
    }


def test_a_file_that_is_refused_does_not_stop_the_others(ask, tmp_path):
    (tmp_path / "photos" / "broken.png").write_bytes(b"no image")
    done = ask("--out", "labels.jsonl")
    assert "1 of 4 files failed" in str(done.exception)
    rows = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert [row["file"] for row in rows if "error" in row] == ["photos/broken.png"]


def test_interrupted_while_it_waits_the_next_call_waits_for_the_same_job(ask, vertex):
    vertex.faults.append(Fault("GetBatchPredictionJob", "PERMISSION_DENIED", "denied"))
    assert "roles/aiplatform.user" in str(ask("--out", "labels.csv").exception)
    assert ask("--out", "labels.csv").exit_code == 0
    assert vertex.methods().count("CreateBatchPredictionJob") == 1


def test_a_job_that_fails_says_why(ask, gcs, vertex, monkeypatch):
    monkeypatch.setattr(vertex.batches, "_instances", lambda job: _fail())
    assert "The following quotas are exceeded" in str(ask("--out", "labels.csv").exception)


def _fail():
    from contracts.vertex.rules import Refused

    raise Refused("RESOURCE_EXHAUSTED", "The following quotas are exceeded: CustomModelServingCPUs")


def test_a_dry_run_asks_nothing(ask, vertex):
    before = len(vertex.calls)
    assert "about 3 files" in ask("--dry-run").stdout
    assert json.loads(ask("--dry-run", "--json").stdout)["files"] == 3
    assert len(vertex.calls) == before


def test_a_version_that_is_not_there_is_told(ask):
    assert "NOT_FOUND" in str(ask("--out", "labels.csv", "--version", "9").exception)
