import resource
import subprocess
import sys
from pathlib import Path

import pytest
from tfx.types.standard_artifacts import InfraBlessing, Model, ModelBlessing, PushedModel

from contracts.component import channel_of, check_compiled, check_driver, check_executor, check_spec
from roadworthy.components.gate.blessing import write_blessing
from roadworthy.components.pushers.executor import ModelRootPusherExecutor
from roadworthy.components.pushers.model_root import ModelRootPusher
from roadworthy.components.pushers.pushed import PUSHED_FILE, Pushed
from roadworthy.components.serving_check.infra_blessing import write_infra_blessing
from roadworthy.serving.manifest import verify_manifest


def artifact(kind, folder):
    folder.mkdir(parents=True, exist_ok=True)
    made = kind()
    made.uri = str(folder)
    return made


@pytest.fixture
def model(tmp_path):
    made = artifact(Model, tmp_path / "model")
    write_version(tmp_path / "model" / "Format-Serving", b"weights" * 100)
    return made


def write_version(folder, content):
    folder.mkdir(exist_ok=True)
    (folder / "model.tflite").write_bytes(content)


def push(model, tmp_path, *, blessed=True, rehearsal=None):
    blessing = artifact(ModelBlessing, tmp_path / "blessing")
    write_blessing(blessing, model if blessed else None)
    pushed = artifact(PushedModel, tmp_path / "pushed")
    ModelRootPusherExecutor().Do(
        {"model": [model], "model_blessing": [blessing], "infra_blessing": [rehearsal] if rehearsal else []},
        {"pushed_model": [pushed]},
        {"model_root": str(tmp_path / "served"), "name": "fashion"},
    )
    return pushed, Pushed.model_validate_json((tmp_path / "pushed" / PUSHED_FILE).read_text())


def test_it_keeps_the_component_contract():
    inputs = {"model": channel_of(Model), "model_blessing": channel_of(ModelBlessing)}
    pusher = ModelRootPusher(**inputs, model_root=Path("/served"), name="fashion")
    # check_parameters wants plain values; the run's id is TFX's own placeholder, filled in when a run starts.
    check_spec(pusher)
    deployment = check_compiled(pusher)
    check_executor(pusher, deployment)
    check_driver(pusher, deployment)


def test_a_blessed_model_becomes_the_first_version(model, tmp_path):
    pushed, note = push(model, tmp_path)
    assert note == Pushed(path=str(tmp_path / "served" / "fashion" / "1"), version=1)
    assert Path(note.path, "model.tflite").read_bytes() == b"weights" * 100
    verify_manifest(Path(note.path))
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_version") == "1"
    assert pushed.get_string_custom_property("pushed_destination") == str(note.path)


def test_another_model_becomes_the_next_version(model, tmp_path):
    push(model, tmp_path)
    write_version(tmp_path / "model" / "Format-Serving", b"better")
    assert push(model, tmp_path)[1].version == 2


def test_the_same_model_is_not_pushed_again(model, tmp_path):
    push(model, tmp_path)
    _, note = push(model, tmp_path)
    assert (note.version, note.already) == (1, True)
    assert [path.name for path in (tmp_path / "served" / "fashion").iterdir()] == ["1"]


def test_without_a_blessing_nothing_is_pushed(model, tmp_path):
    pushed, note = push(model, tmp_path, blessed=False)
    assert note == Pushed()
    assert not (tmp_path / "served").exists()
    assert pushed.get_int_custom_property("pushed") == 0


def rehearsal_of(tmp_path, *, blessed, content=None):
    rehearsal = artifact(InfraBlessing, tmp_path / "rehearsal")
    write_infra_blessing(rehearsal, blessed=blessed, has_model=content is not None)
    if content is not None:
        write_version(tmp_path / "rehearsal" / "stamped_model", content)
    return rehearsal


def test_a_model_that_failed_its_rehearsal_is_not_pushed(model, tmp_path):
    _, note = push(model, tmp_path, rehearsal=rehearsal_of(tmp_path, blessed=False))
    assert note == Pushed()
    assert not (tmp_path / "served").exists()


def test_the_model_that_was_rehearsed_is_the_one_that_is_pushed(model, tmp_path):
    _, note = push(model, tmp_path, rehearsal=rehearsal_of(tmp_path, blessed=True, content=b"with warm-up"))
    assert Path(note.path, "model.tflite").read_bytes() == b"with warm-up"


def test_a_rehearsal_without_a_model_of_its_own_lets_the_chosen_one_through(model, tmp_path):
    _, note = push(model, tmp_path, rehearsal=rehearsal_of(tmp_path, blessed=True))
    assert Path(note.path, "model.tflite").read_bytes() == b"weights" * 100


# The limit makes the kernel refuse the write half-way, as a full disk does; errno differs, the way out is the same.
PUSH_UNDER_LIMIT = f"""
import resource, signal, sys
from pathlib import Path
from roadworthy.serving.errors import DeployError
from roadworthy.serving.repository import publish

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, {resource.RLIM_INFINITY}))
try:
    publish(Path(sys.argv[1]), model_root=Path(sys.argv[2]), name="fashion")
except DeployError as error:
    print(error)
"""


def test_a_disk_that_fills_up_half_way_leaves_the_old_version_and_nothing_else(model, tmp_path):
    _, before = push(model, tmp_path)
    write_version(tmp_path / "model" / "Format-Serving", b"x" * 1_000_000)
    words = [sys.executable, "-c", PUSH_UNDER_LIMIT, tmp_path / "model" / "Format-Serving", tmp_path / "served"]
    ran = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "File too large" in ran.stdout
    assert "Nothing was pushed" in ran.stdout
    assert [path.name for path in (tmp_path / "served" / "fashion").iterdir()] == ["1"]
    verify_manifest(Path(before.path))
