"""A real server for whoever asks it about files."""

import pytest

from contracts.lengths import write_lengths
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.run import ModelServer


@pytest.fixture(scope="session")
def lengths(tmp_path_factory):
    root = tmp_path_factory.mktemp("lengths")
    write_lengths(root / "lengths" / "1")
    with ModelServer(Manager.of_root(root)) as server:
        yield server
