"""A rollout on a model root, with a real server that polls its config file and clients that split by key."""

import itertools
import json
import time
from dataclasses import replace

import pytest

from contracts.mean_colour import CARD, write_mean_colour
from contracts.pictures import encode, pixels
from roadworthy.serving.client import Client
from roadworthy.serving.client.split import Split
from roadworthy.serving.errors import DeployError
from roadworthy.serving.rollout import model_root as module
from roadworthy.serving.rollout.check import Checker
from roadworthy.serving.rollout.digest import digest_label
from roadworthy.serving.rollout.model_root import ModelRootTarget
from roadworthy.serving.rollout.plan import deploying, rolling_back, to_take_back
from roadworthy.serving.rollout.ramp import Ramp
from roadworthy.serving.rollout.run import Rollout
from roadworthy.serving.server.listening import Listening
from roadworthy.serving.server.manager import Loading, Manager
from roadworthy.serving.server.model_config import ConfigFile
from roadworthy.serving.server.run import ModelServer

RAMP = Ramp(steps=(25, 100), answers=2, held_images=3, images_a_request=3, grace_s=0, max_p95_ms=None)
OTHER = 'model_config_list { config { name: "other" base_path: "/nowhere" model_platform: "tensorflow" } }'


class Killed(BaseException):
    """What no `except Exception` stops."""


@pytest.fixture(scope="module")
def images():
    planes = []
    for channel in range(3):
        image = pixels(0) * 0
        image[..., channel] = 255
        planes.append(encode(image))
    return planes


@pytest.fixture
def models(tmp_path):
    def write(name, *, mixed_up=False):
        folder = tmp_path / "models" / name
        if not folder.exists():
            labels = CARD.labels[::-1] if mixed_up else CARD.labels
            replace(CARD, variant=name, labels=labels).write(write_mean_colour(folder))
        return folder

    return write


@pytest.fixture
def served(tmp_path, images):
    """A server of what a config file names, which holds another model already, and a function that deploys there."""
    config_file = tmp_path / "models.config"
    config_file.write_text(OTHER)
    manager = Manager(ConfigFile(config_file, poll_interval_s=0.01), loading=Loading(poll_interval_s=0.01))
    with ModelServer(manager, Listening(grpc_port=0, rest_port=None)) as server:
        address = f"127.0.0.1:{server.grpc_port}"

        def target(folder=None):
            root = tmp_path / "root"
            given = {"config_file": config_file, "server": address, "version_dir": folder, "available_s": 20}
            return ModelRootTarget(root, "colours", **given)

        def deploy(folder):
            going = Rollout(target(folder), deploying(digest_label(folder), RAMP), Checker(images, RAMP))
            return going.run()

        deploy.target, deploy.address, deploy.config_file = target, address, config_file
        deploy.folder = tmp_path / "root" / "colours"
        yield deploy


def names(seen):
    return {version.number: set(version.aliases) for version in seen.versions if version.aliases}


def test_the_next_version_takes_over_and_other_models_stay(served, models, images):
    assert names(served(models("first"))) == {1: {"champion"}}
    seen = served(models("second"))
    assert names(seen) == {1: {"previous"}, 2: {"champion"}}
    assert [(one.version, one.percent) for one in seen.deployed] == [(2, 100)]
    config = served.config_file.read_text()
    assert 'name: "other"' in config
    assert "versions: 2" in config
    with Client.open(served.address) as client:
        assert client.classify_images("colours", images, label="stable")[0].label == "red"


def test_half_way_clients_split_by_key(served, models, images, monkeypatch):
    served(models("first"))
    die_after(monkeypatch, 4)  # the alias and the deployment with their configs, then the share before its config
    with pytest.raises(Killed):
        served(models("second"))
    served.target().look()
    split = Split.read(served.folder)
    assert split.canary_percent == 25
    labels = [split.label(f"user-{number}") for number in range(400)]
    assert 70 <= labels.count("canary") <= 130
    with Client.open(served.address) as client:
        for label, version in (("stable", 1), ("canary", 2)):
            wait_for(lambda label=label: client.status("colours", label=label))
            assert client.status("colours", label=label)[0].version == version


def wait_for(ask):
    for _ in range(100):
        try:
            return ask()
        except Exception:
            time.sleep(0.05)
    return ask()


def test_a_version_that_disagrees_is_taken_back(served, models):
    served(models("first"))
    with pytest.raises(DeployError, match=r"traffic is where it was before(?s:.*)champion's label"):
        served(models("mixed", mixed_up=True))
    seen = served.target().look()
    assert names(seen) == {1: {"champion"}}
    assert [(one.version, one.percent) for one in seen.deployed] == [(1, 100)]
    assert Split.read(served.folder).label("anyone") == "stable"


def test_a_rollback_brings_back_the_version_before(served, models):
    served(models("first"))
    served(models("second"))
    target = served.target()
    Rollout(target, rolling_back(to_take_back(target.look()))).run()
    assert names(target.look()) == {1: {"champion"}}
    assert [(one.version, one.percent) for one in target.look().deployed] == [(1, 100)]


def die_after(monkeypatch, writes):
    """Raises once so many files have been put in their place, and one more."""
    left, real = itertools.count(writes, -1), module.write_aside

    def write(path, text):
        real(path, text)
        if next(left) == 0:
            raise Killed

    monkeypatch.setattr(module, "write_aside", write)


def test_killed_after_any_write_the_next_call_finishes(served, models, monkeypatch):
    served(models("0"))
    for number in itertools.count(1):
        folder = models(str(number))
        with monkeypatch.context() as patch:
            die_after(patch, number - 1)
            try:
                served(folder)
            except Killed:
                patch.undo()
                served(folder)
            else:
                break
        assert names(served.target().look()) == {number: {"previous"}, number + 1: {"champion"}}
    assert number > 8


def test_a_server_that_takes_nothing_up_is_told(served, models, tmp_path):
    given = {"config_file": tmp_path / "unread.config", "server": served.address, "version_dir": models("first")}
    elsewhere = ModelRootTarget(tmp_path / "root", "colours", available_s=0.2, **given)
    with pytest.raises(DeployError, match="model_config_file_poll_wait_seconds"):
        Rollout(elsewhere, deploying(digest_label(models("first")), RAMP)).run()


def test_a_file_that_is_no_rollouts_is_told(served, models):
    served(models("first"))
    (served.folder / "rollout.json").write_text("[]")
    with pytest.raises(DeployError, match=r"rollout\.json must be of a rollout"):
        served.target().look()
    (served.folder / "rollout.json").write_text(json.dumps({"canary_percent": 5}))
    assert Split.read(served.folder).canary_percent == 5
