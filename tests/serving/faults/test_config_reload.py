"""A config file that breaks while the server follows it."""

import pytest

from roadworthy.serving.server.manager import Loading, Manager
from roadworthy.serving.server.model_config import ConfigFile

FAST = Loading(poll_interval_s=0.01)


def listed(*entries):
    return f"model_config_list {{ {' '.join(f'config {{ {entry} }}' for entry in entries)} }}"


@pytest.fixture
def entry(colour):
    return f'name: "colour" base_path: "{colour.parent}"'


@pytest.fixture
def config(tmp_path, entry):
    path = tmp_path / "models.config"
    path.write_text(listed(entry))
    return path


@pytest.fixture
def manager(config):
    manager = Manager(ConfigFile(config, poll_interval_s=1e-9), loading=FAST)
    manager.poll()
    yield manager
    manager.stop()


def available(manager):
    return {name for name in manager.models() if manager.statuses(name)[0][1].name == "AVAILABLE"}


BROKEN = {
    "no text format": "improper config",
    "cut in the middle": 'model_config_list { config { name: "colour" base',
    "a name twice": listed('name: "colour" base_path: "/a"', 'name: "colour" base_path: "/b"'),
    "a relative path": listed('name: "colour" base_path: "models/colour"'),
    "a path with a NUL": listed(r'name: "colour" base_path: "/a\000b"'),
    "another platform": listed('name: "colour" base_path: "/a" model_platform: "pytorch"'),
    "no name": listed('base_path: "/a"'),
    "a custom config": "custom_model_config {}",
    "not UTF-8": b"\xff\xfe",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_file_that_breaks_changes_nothing_is_told_once_and_counts_again_once_mended(
    manager, config, entry, broken, caplog
):
    config.write_bytes(broken if isinstance(broken, bytes) else broken.encode())
    for _ in range(5):
        manager.poll()
    assert available(manager) == {"colour"}
    assert caplog.text.count("the models stay as they were") == 1
    config.write_text(listed(entry.replace('"colour"', '"renamed"')))
    manager.poll()
    assert available(manager) == {"renamed"}
    config.write_bytes(broken if isinstance(broken, bytes) else broken.encode())
    manager.poll()
    assert caplog.text.count("the models stay as they were") == 2


def test_a_file_that_is_gone_for_a_while_changes_nothing(manager, config, caplog):
    away = config.rename(config.with_suffix(".away"))
    for _ in range(5):
        manager.poll()
    assert available(manager) == {"colour"}
    assert caplog.text.count("the models stay as they were") == 1
    away.rename(config)
