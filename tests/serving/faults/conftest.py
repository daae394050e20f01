"""Servers that are wronged, in processes of their own where they could be killed by it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contracts.mean_colour import write_mean_colour
from contracts.server_process import Process, start_process


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Starts servers with flags and kills them when the test is over."""
    running = []

    def started(*flags: str, **options) -> Process:
        running.append(start_process(*flags, **options))
        return running[-1]

    yield started
    for process in running:
        process.popen.kill()
        process.popen.wait()


@pytest.fixture(scope="session")
def colour(tmp_path_factory) -> Path:
    """Version 1 of a LiteRT model that loads in a moment."""
    return write_mean_colour(tmp_path_factory.mktemp("colour") / "1")
