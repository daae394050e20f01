"""What is served follows the model root."""

import shutil
import threading
import time

import pytest

from roadworthy.serving.cores import available_cores
from roadworthy.serving.errors import ServeError
from roadworthy.serving.manifest import write_manifest
from roadworthy.serving.server.manager import Loading, Manager
from roadworthy.serving.server.version import State
from roadworthy.serving.status import RequestError

FAST = Loading(poll_interval_s=0.01)


@pytest.fixture
def root(tmp_path, exported):
    """A root with version 1 of `small`, which loads in a moment."""
    shutil.copytree(exported["litert"], tmp_path / "small" / "1")
    return tmp_path


@pytest.fixture
def manager(root):
    manager = Manager.of_root(root, loading=FAST)
    yield manager
    manager.stop()


def push(root, exported, version, *, damaged=False):
    """A new version, renamed into place as a push does it."""
    aside = shutil.copytree(exported["litert"], root / "small" / ".aside")
    if damaged:
        (aside / "model.tflite").write_bytes(b"damaged")
    return aside.rename(root / "small" / str(version))


def states(manager):
    return {number: state for number, state, _ in manager.statuses("small")}


def await_states(manager, expected, *, timeout_s=10.0):
    deadline = time.monotonic() + timeout_s
    while states(manager) != expected:
        assert time.monotonic() < deadline, f"{states(manager)} did not become {expected}"
        time.sleep(0.005)


def served(manager):
    with manager.use("small") as (number, _):
        return number


def test_a_missing_root_is_refused(tmp_path):
    with pytest.raises(ServeError, match="no such folder"):
        Manager.of_root(tmp_path / "none")


def test_a_root_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ServeError, match="Received: a file"):
        Manager.of_root(tmp_path / "file")


def test_an_empty_root_waits_for_its_first_version(tmp_path, exported, caplog):
    manager = Manager.of_root(tmp_path, loading=FAST)
    manager.start()
    assert "waiting for the first" in caplog.text
    shutil.copytree(exported["litert"], tmp_path / ".small")
    (tmp_path / "small").mkdir()
    (tmp_path / ".small").rename(tmp_path / "small" / "1")
    deadline = time.monotonic() + 10
    while "small" not in manager._models and time.monotonic() < deadline:
        time.sleep(0.005)
    await_states(manager, {1: State.AVAILABLE})
    manager.stop()


def test_the_latest_version_is_served(root, exported, manager):
    push(root, exported, 10)
    push(root, exported, 9)
    manager.poll()
    assert served(manager) == 10
    assert states(manager) == {10: State.AVAILABLE}


def test_a_model_tells_how_many_requests_it_works_on_at_a_time(root, exported, manager):
    shutil.copytree(exported["first"], root / "large" / "1")
    manager.poll()
    assert manager.at_once("small") == available_cores()
    assert manager.at_once("large") is None
    assert manager.at_once("unknown") is None


def test_a_new_version_takes_over(root, exported, manager):
    manager.poll()
    push(root, exported, 2)
    manager.poll()
    assert served(manager) == 2
    assert states(manager) == {2: State.AVAILABLE, 1: State.END}


def test_the_old_version_is_unloaded_only_after_its_last_request(root, exported, manager, monkeypatch):
    manager.poll()
    closed = []
    with manager.use("small") as (number, servable):
        monkeypatch.setattr(servable, "close", lambda: closed.append(number))
        push(root, exported, 2)
        poll = threading.Thread(target=manager.poll)
        poll.start()
        await_states(manager, {2: State.AVAILABLE, 1: State.UNLOADING})
        assert number == 1
        assert closed == []
        assert served(manager) == 2
    poll.join()
    assert states(manager) == {2: State.AVAILABLE, 1: State.END}
    assert closed == [1]


def test_a_version_that_is_unloaded_is_not_found(root, exported, manager):
    manager.poll()
    push(root, exported, 2)
    manager.poll()
    with pytest.raises(RequestError, match=r"Specific\(small, 1\)"), manager.use("small", 1):
        pass


def test_a_damaged_version_keeps_the_old_one_and_is_reported(root, exported, manager, caplog):
    manager.poll()
    push(root, exported, 2, damaged=True)
    manager.poll()
    assert served(manager) == 1
    (number, state, error), _ = manager.statuses("small")
    assert (number, state) == (2, State.END)
    assert "model.tflite must be a whole LiteRT model" in error
    assert "small version 2 can't be loaded" in caplog.text


def test_a_load_that_failed_is_tried_again(root, exported, manager):
    broken = push(root, exported, 2, damaged=True)
    manager.start()
    assert states(manager)[2] is State.END
    shutil.copy(exported["litert"] / "model.tflite", broken / "model.tflite")
    await_states(manager, {2: State.AVAILABLE})
    assert manager.statuses("small")[0][2] is None


def test_retries_become_rarer(root, exported, manager, monkeypatch):
    push(root, exported, 2, damaged=True)
    monkeypatch.setattr(manager, "_loading", Loading(poll_interval_s=10.0))
    manager.poll()
    attempts = manager._models["small"][2].attempts
    manager.poll()
    assert manager._models["small"][2].attempts == attempts == 1


def test_a_version_that_is_taken_away_gives_way_to_the_one_before(root, exported, manager):
    push(root, exported, 2)
    manager.poll()
    shutil.rmtree(root / "small" / "2")
    manager.poll()
    assert served(manager) == 1


def test_a_model_that_is_taken_away_is_unloaded(root, manager):
    manager.poll()
    shutil.rmtree(root / "small")
    manager.poll()
    assert states(manager) == {1: State.END}


def test_a_root_that_is_away_for_a_moment_leaves_what_is_loaded(root, tmp_path, manager):
    manager.poll()
    away = root.rename(root.with_name(f"{root.name}-away"))
    manager.poll()
    assert served(manager) == 1
    away.rename(root)


def test_only_so_many_versions_that_are_over_are_remembered(root, exported, manager):
    write_manifest(root / "small" / "1")
    for number in range(1, 22):
        if number > 1:
            (root / "small" / str(number - 1)).rename(root / "small" / str(number))
        manager.poll()
    assert len(states(manager)) == 17
    assert min(states(manager)) == 5
