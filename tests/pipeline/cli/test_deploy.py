"""`roadworthy deploy`, `promote`, `rollback` and `status` on the local Vertex AI, one killed at each of its changes."""

import functools
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from click.testing import CliRunner

from contracts.mean_colour import CARD, write_mean_colour
from contracts.pictures import encode, pixels
from roadworthy.pipeline.cli.main import cli

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
    """Runs the command line, in a folder with a config, two models and held images."""
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM", f"https://{vertex.address}/")
    (tmp_path / "run.yaml").write_text(CONFIG)
    (tmp_path / "held").mkdir()
    for channel in range(3):
        image = pixels(0) * 0
        image[..., channel] = 255
        (tmp_path / "held" / f"{channel}.png").write_bytes(encode(image))
    for name in ("first", "second"):
        replace(CARD, variant=name).write(write_mean_colour(tmp_path / name))

    monkeypatch.chdir(tmp_path)
    return functools.partial(CliRunner().invoke, cli)


DEPLOY = ("deploy", "{}", "--to", "vertex", "--config", "run.yaml")


def deploy(name, *more):
    return [word.format(name) for word in DEPLOY] + list(more)


def test_killed_at_each_change_in_turn_the_same_command_finishes(command, vertex):
    command(deploy("first"))
    would = command(deploy("second", "--dry-run")).stdout
    assert "uploading the model as a version" in would
    assert vertex.methods().count("UploadModel") == 1

    deaths = []
    while (victim := start(deploy("second", "--json"))) and (method := killed_at_a_change(victim, vertex)):
        deaths.append(method)

    assert victim.returncode == 0
    assert json.loads(victim.stdout.read())["deployed"] == [{"id": "7002", "version": 2, "percent": 100}]
    assert {"UploadModel", "DeployModel", "UpdateModel", "MergeVersionAliases", "UndeployModel"} <= set(deaths)
    assert len(deaths) >= 8  # two splits of the traffic and two aliases among them
    told = json.loads(command(["status", "run.yaml", "--json"]).stdout)
    assert [version["aliases"] for version in told["versions"]] == [["previous"], ["champion"]]


def test_no_token_is_written_anywhere(command, vertex, tmp_path):
    command(deploy("first"))
    planted = {authorization.split()[-1] for authorization in vertex.authorizations if authorization}
    assert planted
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and holds(path, planted)]


def test_versions_go_up_and_back_by_the_command_line(command):
    command(deploy("first"))
    assert "version 2: +champion -challenger" in command(deploy("second")).stderr
    assert "version 2: roadworthy-refused asked" in command(["rollback", "run.yaml", "--dry-run"]).stdout
    assert command(["rollback", "run.yaml"]).exit_code == 0
    shown = command(["status", "run.yaml"]).stdout.splitlines()
    assert [line.split()[:3] for line in shown[1:]] == [["1", "100%", "champion"], ["2", "-", "taken"]]
    assert "nothing" in command(["promote", "run.yaml", "--dry-run"]).stdout.lower()


def test_without_anything_to_go_back_to_it_is_told(command):
    command(deploy("first"))
    assert "a version before the champion" in str(command(["rollback", "run.yaml"]).exception)


def start(words):
    return subprocess.Popen([sys.executable, "-m", "roadworthy.pipeline.cli.main", *words], stdout=subprocess.PIPE)


def killed_at_a_change(process, vertex):
    """SIGKILL once the server has been asked for one change more; gives its name, or None if the process has ended."""
    before = len(changes(vertex))
    until = time.monotonic() + 240
    while process.poll() is None and time.monotonic() < until:
        if more := changes(vertex)[before:]:
            process.kill()
            return more[0] if process.wait() == -signal.SIGKILL else None
        time.sleep(0.001)
    return None


def changes(vertex):
    return [method for method in vertex.methods() if not method.startswith(("Get", "List", "Predict", "RawPredict"))]


def holds(path, tokens):
    content = path.read_bytes()
    return any(token.encode() in content for token in tokens)


@pytest.mark.parametrize("to", ["vertex", "tf-serving"])
@pytest.mark.parametrize("model", ["missing", "held", "run.yaml"])
def test_what_is_no_version_folder_is_refused_before_anything_is_asked(command, vertex, tmp_path, model, to):
    fleet = "deploy:\n  fleet: {config_file: models.config, server: localhost:8500}"
    (tmp_path / "run.yaml").write_text(CONFIG.replace("deploy:", fleet) + "push: {model_root: served}\n")
    asked = len(vertex.calls)
    for more in ([], ["--dry-run"]):
        done = command(["deploy", model, "--to", to, "--config", "run.yaml", *more])
        assert str(done.exception).startswith(f"{model} must be an exported model with saved_model.pb or model.tflite.")
    assert len(vertex.calls) == asked


def test_where_to_is_said_in_place_of_the_config_for_every_command(command, tmp_path):
    for words in (["status"], ["promote"], ["rollback"]):
        done = command([*words, "run.yaml", "--to", "tf-serving"])
        assert "push.model_root must be given to deploy to TF Serving" in str(done.exception)
    (tmp_path / "run.yaml").write_text(CONFIG + "push: {model_root: served}\n")
    assert "deploy.fleet must be given" in str(command(["status", "run.yaml", "--to", "tf-serving"]).exception)


def test_without_a_deploy_section_it_is_told(command, tmp_path):
    (tmp_path / "run.yaml").write_text(CONFIG.split("deploy:", maxsplit=1)[0])
    assert "a deploy section must say where to" in str(command(deploy("first")).exception)
