"""Version folders that are not what they should be: half there, changing, elsewhere, unreadable."""

import os
import shutil
import time

import pytest

from contracts.server_process import COMMAND
from roadworthy.serving.manifest import write_manifest
from roadworthy.serving.server.manager import Loading, Manager
from roadworthy.serving.server.model_config import ModelConfig
from roadworthy.serving.server.version import State

# A load that failed is not tried again by the clock here.
NEVER = Loading(poll_interval_s=0.01, retries=0, retry_interval_s=3600)


@pytest.fixture
def root(tmp_path, colour):
    """A root with version 1 of `colour`."""
    shutil.copytree(colour, tmp_path / "models" / "colour" / "1")
    return tmp_path / "models"


@pytest.fixture
def manager(root):
    manager = Manager.of_root(root, loading=NEVER)
    manager.poll()
    yield manager
    manager.stop()


def served(manager, name="colour"):
    with manager.use(name) as (number, _):
        return number


def error_of(manager, name="colour"):
    return manager.statuses(name)[0][2]


def pieces(folder):
    """A folder's files in an order, each as its two halves."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        yield path.relative_to(folder), content[: len(content) // 2]
        yield path.relative_to(folder), content


@pytest.mark.parametrize("with_manifest", [False, True])
def test_a_version_that_is_being_copied_is_served_once_it_is_whole_and_not_before(
    root, colour, manager, tmp_path, with_manifest
):
    whole = shutil.copytree(colour, tmp_path / "whole")
    if with_manifest:
        write_manifest(whole)
    for place, (name, content) in enumerate(copied := list(pieces(whole))):
        path = root / "colour" / "2" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        manager.poll()
        assert served(manager) == (2 if place == len(copied) - 1 else 1), f"after {name}"
    assert error_of(manager) is None


def test_a_saved_model_without_a_shard_of_its_variables_is_named_and_mended(root, half_plus_two):
    version = shutil.copytree(half_plus_two / "123", root / "half" / "1")
    shard = next(version.glob("variables/*.data-*"))
    content = shard.read_bytes()
    shard.unlink()
    manager = Manager.of_root(root, loading=NEVER)
    manager.poll()
    assert served(manager) == 1
    assert f"{version} must be a SavedModel" in error_of(manager, "half")
    shard.write_bytes(content[:-1])
    manager.poll()
    assert manager.statuses("half")[0][1] is State.END
    shard.write_bytes(content)
    manager.poll()
    assert served(manager, "half") == 1
    manager.stop()


def test_a_version_that_is_a_link_out_of_its_model_is_refused(root, colour, manager):
    (root / "colour" / "2").symlink_to(colour)
    manager.poll()
    assert served(manager) == 1
    assert "must be a folder of its model. Received: a link to" in error_of(manager)


def test_a_file_that_is_a_link_out_of_its_version_is_refused(root, colour, manager):
    version = shutil.copytree(colour, root / "colour" / "2")
    (version / "model.tflite").unlink()
    (version / "model.tflite").symlink_to(colour / "model.tflite")
    manager.poll()
    assert served(manager) == 1
    assert "model.tflite must be within its version. Received: a link to" in error_of(manager)


def test_a_link_within_a_version_is_a_file_of_it(root, colour, manager):
    """As Kubernetes mounts config maps."""
    version = shutil.copytree(colour, root / "colour" / "2")
    (version / "model.tflite").rename(version / "data")
    (version / "model.tflite").symlink_to("data")
    manager.poll()
    assert served(manager) == 2


def test_a_model_that_is_a_link_out_of_the_root_is_not_served(root, colour, tmp_path, manager):
    shutil.copytree(colour, tmp_path / "elsewhere" / "1")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    manager.poll()
    assert manager.models() == ["colour"]


def test_a_version_swapped_for_a_link_while_it_is_served_stays_what_it_was(root, colour, tmp_path, manager):
    with manager.use("colour") as (_, before):
        pass
    shutil.rmtree(root / "colour" / "1")
    shutil.copytree(colour, tmp_path / "elsewhere")
    (root / "colour" / "1").symlink_to(tmp_path / "elsewhere")
    manager.poll()
    with manager.use("colour") as (_, after):
        assert after is before
    again = Manager.of_root(root, loading=NEVER)
    again.poll()
    assert "a link to" in error_of(again)


def test_a_model_whose_folder_is_a_file_or_a_loop_of_links_keeps_no_other_from_being_served(root, colour, caplog):
    (root / "a-file").touch()
    (root / "b-loop").symlink_to("b-loop")
    names = ("a-file", "b-loop", "colour")
    manager = Manager.of_models([ModelConfig(name, root / name) for name in names], loading=NEVER)
    for _ in range(3):
        manager.poll()
    assert served(manager) == 1
    assert caplog.text.count("a-file: versions can't be looked for") == 1
    assert caplog.text.count("b-loop: versions can't be looked for") == 1
    manager.stop()


# Root reads everything unless it can't override permissions.
AS_ANYONE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root needs setpriv to be refused")
def test_what_may_not_be_read_keeps_no_other_from_being_served_and_is_when_it_may(root, colour, start):
    shutil.copytree(colour, root / "closed" / "1")
    shutil.copytree(colour, root / "half-closed" / "1")
    (root / "closed").chmod(0)
    (root / "half-closed" / "1" / "model.tflite").chmod(0)
    config = root.parent / "models.config"
    entries = (f'config {{ name: "{name}" base_path: "{root / name}" }}' for name in os.listdir(root))
    config.write_text(f"model_config_list {{ {' '.join(entries)} }}")
    process = start(f"--model_config_file={config}", command=(*AS_ANYONE, *COMMAND))
    assert process.get("/v1/models/colour/metadata").status_code == 200
    assert process.get("/v1/models/closed").status_code == 404
    status = process.get("/v1/models/half-closed").json()["model_version_status"][0]
    assert "Permission denied" in status["status"]["error_message"]
    (root / "closed").chmod(0o755)
    (root / "half-closed" / "1" / "model.tflite").chmod(0o644)
    deadline = time.monotonic() + 60
    while process.get("/v1/models/closed/metadata").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
