"""`roadworthy batch-predict` on the local Vertex AI, whose job asks the exported model."""

import csv
import json

import pytest
from click.testing import CliRunner
from google.cloud import storage

from contracts.vertex.colours import colour_images, deploy, push_settings, write_colours
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


def test_a_file_that_can_not_be_read_does_not_stop_the_others(ask, tmp_path):
    (tmp_path / "photos" / "gone.png").symlink_to("nowhere")
    done = ask("--out", "labels.jsonl")
    assert "1 of 4 files failed" in str(done.exception)
    rows = {row["file"]: row for row in map(json.loads, (tmp_path / "labels.jsonl").read_text().splitlines())}
    assert rows.pop("photos/gone.png")["error"] == "must be a readable file. Received: No such file or directory"
    assert sorted(row["label"] for row in rows.values()) == ["blue", "green", "red"]


def test_where_no_file_can_be_read_no_job_is_made(ask, tmp_path, vertex):
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "gone.png").symlink_to("nowhere")
    words = ["batch-predict", "only", "--config", "run.yaml", "--out", "labels.jsonl"]
    assert "1 of 1 files failed" in str(CliRunner().invoke(cli, words).exception)
    assert "photos/red.png" not in (tmp_path / "labels.jsonl").read_text()
    assert "CreateBatchPredictionJob" not in vertex.methods()


def test_a_file_of_which_the_job_says_nothing_has_failed(ask, tmp_path, vertex, monkeypatch):
    answer = vertex.batches._answer
    skipping = lambda key, told, *more: answer(key, told, *more) if "green" not in told["key"] else None  # noqa: E731
    monkeypatch.setattr(vertex.batches, "_answer", skipping)
    assert "1 of 3 files failed" in str(ask("--out", "labels.jsonl").exception)
    rows = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert [row["file"] for row in rows if "must have an answer" in row.get("error", "")] == ["photos/green.png"]


def test_a_folder_without_images_is_told_before_anything_is_asked(ask, tmp_path, vertex):
    (tmp_path / "empty").mkdir()
    before = len(vertex.calls)
    for on in (["vertex"], ["beam", "--model", "m"]):
        words = ["batch-predict", "empty", "--config", "run.yaml", "--dry-run", "--on", *on]
        said = str(CliRunner().invoke(cli, words).exception)
        assert said == "FILES must hold at least one image. Received: none in empty."
    assert len(vertex.calls) == before


def test_interrupted_while_it_waits_the_next_call_waits_for_the_same_job(ask, vertex):
    vertex.faults.append(Fault("GetBatchPredictionJob", "PERMISSION_DENIED", "denied"))
    assert "roles/aiplatform.user" in str(ask("--out", "labels.csv").exception)
    assert ask("--out", "labels.csv").exit_code == 0
    assert vertex.methods().count("CreateBatchPredictionJob") == 1


def labels(path):
    return {row["file"]: row.get("label") for row in map(json.loads, path.read_text().splitlines())}


def test_what_was_answered_whole_is_not_asked_again_by_the_same_version_and_is_by_another(ask, tmp_path, vertex):
    for name in ("once.jsonl", "again.jsonl"):
        assert ask("--out", name).exit_code == 0
    assert vertex.methods().count("CreateBatchPredictionJob") == 1

    push = push_settings().model_copy(update={"project": "demo-project"})
    push = push.model_copy(update={"ramp": push.ramp.model_copy(update={"min_agreement": 0.0})})
    deploy(push, write_colours(tmp_path / "mixed", mixed_up=True), colour_images())
    assert ask("--out", "another.jsonl").exit_code == 0

    assert labels(tmp_path / "once.jsonl") == labels(tmp_path / "again.jsonl")
    assert labels(tmp_path / "another.jsonl")["photos/red.png"] == "blue"


@pytest.mark.parametrize("lacks", ["an answer", "its answers"])
def test_a_job_that_lacks_answers_is_not_taken_for_one_that_was_interrupted(ask, tmp_path, vertex, gcs, lacks):
    if lacks == "an answer":
        (tmp_path / "photos" / "broken.png").write_bytes(b"no image")
    ask("--out", "once.jsonl")
    (job,) = vertex.batches._jobs.values()
    if lacks == "its answers":
        prefix = job.output_info.gcs_output_directory.removeprefix("gs://rw-bucket/")
        for blob in list(storage.Client(project="demo-project").list_blobs("rw-bucket", prefix=prefix)):
            blob.delete()
    ask("--out", "again.jsonl")

    assert vertex.methods().count("CreateBatchPredictionJob") == 2
    assert labels(tmp_path / "again.jsonl")["photos/red.png"] == "red"


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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "served/3"], "--model is for --on beam"),
        (["--on", "beam", "--model", "served/3", "--version", "3"], "--version is for --on vertex"),
    ],
)
def test_an_option_of_the_other_way_is_refused_in_place_of_being_passed_over(ask, words, said):
    assert said in ask("--dry-run", *words).output


def test_a_version_that_is_not_there_is_told(ask):
    assert "NOT_FOUND" in str(ask("--out", "labels.csv", "--version", "9").exception)
