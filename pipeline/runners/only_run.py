"""A run has its output folder to itself; known before TFX is loaded."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from roadworthy.serving.errors import ConfigError


@contextmanager
def only_run(output: Path) -> Iterator[None]:
    """Holds a run's output folder; a second run there would corrupt the metadata store.

    Raises:
        ConfigError: another run holds the folder.
    """
    output.mkdir(parents=True, exist_ok=True)
    with (output / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"{output} must be used by one run at a time. Received: a second. Wait, or give it another `output`."
            ) from error
        yield
