"""A run's own lines on the terminal, the libraries' chatter in a log file."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from roadworthy.serving.errors import RoadworthyError

INTERRUPTED: Final = 130


def node_line(name: str, state: str, seconds: float) -> str:
    """What is told of a node that has ended, wherever it ran."""
    return f"  {name:<28} {state:<7} {seconds:7.1f} s"


@contextmanager
def libraries_to(log: Path, *, machine_stdout: bool) -> Iterator[TextIO]:
    """Sends file descriptor 2 to a log file while a run lasts, and yields a stream to the real terminal.

    TensorFlow, Beam and the LiteRT converter write to the descriptor itself, past Python's `sys.stderr`, so it is the
    descriptor that has to be moved.

    Args:
        log: appended to; its folder is made.
        machine_stdout: keep stdout for one JSON document: progress bars go to the terminal's stderr instead.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    stdout_fd, stderr_fd = os.dup(1), os.dup(2)
    terminal = os.fdopen(os.dup(stderr_fd if machine_stdout else stdout_fd), "w", buffering=1)
    try:
        with log.open("ab") as sink:
            os.dup2(sink.fileno(), 2)
        if machine_stdout:
            os.dup2(stderr_fd, 1)
        yield terminal
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(stdout_fd, 1)
        os.dup2(stderr_fd, 2)
        os.close(stdout_fd)
        os.close(stderr_fd)
        terminal.close()


@contextmanager
def without_chatter() -> Iterator[None]:
    """Keeps off the terminal what libraries write to file descriptor 2; after a fault of ours it is shown.

    TensorFlow's first words come before it reads `TF_CPP_MIN_LOG_LEVEL`.
    """
    sys.stderr.flush()
    stderr_fd, failed = os.dup(2), True
    with tempfile.TemporaryFile() as kept, os.fdopen(stderr_fd, "wb") as terminal:
        os.dup2(kept.fileno(), 2)
        try:
            yield
            failed = False
        except RoadworthyError:
            failed = False
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr_fd, 2)
            if failed:
                kept.seek(0)
                shutil.copyfileobj(kept, terminal)


def quieten_tensorflow() -> None:
    """Leaves out what TensorFlow says without being asked; it reads this once, when it is first imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
