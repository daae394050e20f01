"""`roadworthy deploy`, `promote`, `rollback` and `status` as processes, on the local Vertex AI."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from contracts.mean_colour import CARD, write_mean_colour
from contracts.pictures import encode, pixels

CONFIG = """
name: colours
output: out
data: {path: photos}
cloud:
  project: demo-project
  region: us-central1
  pipeline_root: gs://rw-bucket/root
  image: europe-docker.pkg.dev/demo/roadworthy/server:1
deploy:
  held: held
  poll_s: 0.01
  ramp: {steps: [25, 100], answers: 2, held_images: 4, images_a_request: 2, grace_s: 0, max_p95_ms: null}
"""


@pytest.fixture
def command(tmp_path, vertex, monkeypatch):
    """Runs the command line in a process of its own, in a folder with a config, two models and held images."""
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM", f"https://{vertex.address}/")
    (tmp_path / "run.yaml").write_text(CONFIG)
    (tmp_path / "held").mkdir()
    for channel in range(3):
        image = pixels(0) * 0
        image[..., channel] = 255
        (tmp_path / "held" / f"{channel}.png").write_bytes(encode(image))
    for name in ("first", "second"):
        CARD.model_copy(update={"variant": name}).write(write_mean_colour(tmp_path / name))

    def start(*words):
        line = [sys.executable, "-m", "roadworthy.pipeline.cli.main", *words]
        return subprocess.Popen(
            line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
        )

    return start


def finish(process, *, code=0):
    out, err = process.communicate(timeout=240)
    assert process.returncode == code, err
    return out, err


DEPLOY = ("deploy", "{}", "--to", "vertex", "--config", "run.yaml")


def deploy(name, *more):
    return [word.format(name) for word in DEPLOY] + list(more)


def test_a_killed_deployment_is_finished_by_the_same_command(command, vertex, tmp_path):
    would, _ = finish(command(*deploy("first", "--dry-run")))
    assert "uploading the model as a version" in would
    assert {"UploadModel", "CreateEndpoint"}.isdisjoint(vertex.methods())

    victim = command(*deploy("first"))
    killer = threading.Thread(target=kill_once_asked, args=(victim, vertex, "DeployModel"))
    killer.start()
    victim.wait(timeout=240)
    killer.join()
    assert victim.returncode == -signal.SIGKILL

    out, err = finish(command(*deploy("first", "--json")))
    assert "uploading" not in err
    assert json.loads(out)["deployed"] == [{"id": "7001", "version": 1, "percent": 100}]
    assert vertex.methods().count("UploadModel") == vertex.methods().count("DeployModel") == 1

    out, _ = finish(command("status", "run.yaml", "--json"))
    assert json.loads(out)["versions"][0]["aliases"] == ["champion"]
    _, err = finish(command("rollback", "run.yaml"), code=2)
    assert "a version before the champion" in err
    planted = {authorization.split()[-1] for authorization in vertex.authorizations if authorization}
    assert planted
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and holds(path, planted)]


def kill_once_asked(process, vertex, method):
    """SIGKILL as soon as the server has been asked for something."""
    until = time.monotonic() + 240
    while method not in vertex.methods() and time.monotonic() < until:
        time.sleep(0.001)
    process.kill()


def holds(path, tokens):
    content = path.read_bytes()
    return any(token.encode() in content for token in tokens)


def test_without_a_deploy_section_it_is_told(command, tmp_path):
    (tmp_path / "run.yaml").write_text(CONFIG.split("deploy:", maxsplit=1)[0])
    _, err = finish(command(*deploy("first")), code=2)
    assert "a deploy section must say where to" in err
