"""The program: one round or many, over a bucket that speaks Cloud Storage's own API."""

import os
import signal
import subprocess
import sys

import pytest

from contracts.mean_colour import write_mean_colour
from contracts.waiting import wait_for
from roadworthy.serving.model_sync.main import main
from roadworthy.serving.repository import publish, versions
from roadworthy.serving.server.manager import Loading, Manager
from roadworthy.serving.server.run import ModelServer
from roadworthy.serving.server.version import State

COMMAND = [sys.executable, "-m", "roadworthy.serving.model_sync.main"]


@pytest.fixture
def published(tmp_path):
    """A model root with version 1 of `colour`."""
    publish(write_mean_colour(tmp_path / "made"), model_root=tmp_path / "published", name="colour")
    return tmp_path / "published"


@pytest.fixture
def bucket(gcs, published):
    """A bucket that holds the root below served/; and how to bring it up to date."""
    gcs.buckets.make("models")

    def upload(root):
        for path in root.rglob("*"):
            if path.is_file():
                gcs.buckets.put("models", f"served/{path.relative_to(root).as_posix()}", path.read_bytes(), {})

    upload(published)
    yield upload
    for name in gcs.names("models"):
        gcs.buckets.delete("models", name, {})
    gcs.buckets.drop("models")


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


def test_a_bucket_s_version_comes_to_the_disk(bucket, disk):
    assert main(["--from=gs://models/served", f"--to={disk}", "--once"]) == 0
    assert versions(disk / "colour") == [1]


def test_another_prefix_of_the_bucket_holds_nothing(bucket, disk, capsys):
    assert main(["--from=gs://models/serve", f"--to={disk}", "--once"]) == 2
    assert "Received: no such version. Push one first." in capsys.readouterr().err


def test_a_damaged_object_is_told_and_does_not_come(bucket, gcs, disk, capsys):
    gcs.buckets.put("models", "served/colour/1/model.tflite", b"damaged", {})

    assert main(["--from=gs://models/served", f"--to={disk}", "--once"]) == 2
    assert "1 failed, colour/1" in capsys.readouterr().err
    assert versions(disk / "colour") == []


def test_a_bucket_that_is_away_is_one_message(gcs, monkeypatch, disk, capsys):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    monkeypatch.setattr("roadworthy.serving.model_sync.source._TIMEOUT_S", 0.2)
    monkeypatch.setattr("google.cloud.storage.retry.DEFAULT_RETRY._timeout", 0.2)

    assert main(["--from=gs://models/served", f"--to={disk}", "--once"]) == 2
    assert "gs://models/served/ must be readable. Received: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from=s3://x", "--to=."], "--from must be gs://BUCKET/PREFIX or a folder. Received: s3://x."),
        (["--to=."], "--from must be gs://BUCKET/PREFIX or a folder. Received: nothing."),
        (["--from=.", "--to=nowhere"], "--to must be a folder that is there. Received: nowhere."),
    ],
)
def test_a_command_line_that_can_not_work_is_refused(arguments, message, capsys, monkeypatch):
    monkeypatch.delenv("MODEL_SOURCE", raising=False)
    assert main([*arguments, "--once"]) == 2
    assert message in capsys.readouterr().err


def test_as_a_sidecar_it_follows_the_bucket_touches_its_heartbeat_and_stops_when_told(
    bucket, published, disk, tmp_path
):
    heartbeat = tmp_path / "beat"
    arguments = [f"--to={disk}", "--interval=0.1", f"--heartbeat={heartbeat}"]
    environment = {**os.environ, "MODEL_SOURCE": "gs://models/served"}
    running = subprocess.Popen([*COMMAND, *arguments], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: versions(disk / "colour") == [1])
        second = write_mean_colour(tmp_path / "second")
        (second / "note").write_text("2")
        publish(second, model_root=published, name="colour")
        bucket(published)
        wait_for(lambda: versions(disk / "colour") == [1, 2])
        assert heartbeat.exists()
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=20) == 0
    finally:
        running.kill()
        running.communicate()


def test_a_server_that_watches_the_disk_serves_what_comes(bucket, published, disk, tmp_path):
    main(["--from=gs://models/served", f"--to={disk}", "--once"])
    with ModelServer(Manager.of_root(disk, loading=Loading(poll_interval_s=0.05))) as server:
        second = write_mean_colour(tmp_path / "second")
        (second / "note").write_text("2")
        publish(second, model_root=published, name="colour")
        bucket(published)
        assert main(["--from=gs://models/served", f"--to={disk}", "--once"]) == 0
        wait_for(lambda: server.manager.statuses("colour")[0][:2] == (2, State.AVAILABLE))
