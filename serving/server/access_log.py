"""The access log: a JSON line for every request, without what was asked or answered."""

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.background import Background

_CAPACITY: Final = 10_000
# Names come from clients; a line must not become as long as they like.
_MAX_CHARS: Final = 200
_NEW_FILE_MODE: Final = 0o640
_STDERR: Final = 2


class AccessLog:
    """Writes lines to a file or to stderr, which a slow disk or a full pipe can't make requests wait for."""

    def __init__(self, path: Path | None = None) -> None:
        """Opens the file.

        Args:
            path: appended to, and opened again when it was moved away, as logrotate does; None is stderr.

        Raises:
            ServeError: the file can't be written.
        """
        self._path = path
        self._file = _STDERR if path is None else _opened(path)
        self._lines = Background(self._write, capacity=_CAPACITY, name="access log")

    def add(self, time_s: float, **fields: Any) -> None:
        """Leaves a line.

        Args:
            time_s: when the request came, seconds of the epoch.
            fields: what is told of it; those that are None are left out.
        """
        self._lines.put({"time": time_s, **fields})

    def close(self) -> None:
        """Writes what is left."""
        self._lines.close()
        if self._path is not None:
            os.close(self._file)

    def _write(self, lines: Sequence[dict[str, Any]]) -> None:
        if not lines:
            return
        if self._path is not None and _moved(self._path, self._file):
            os.close(self._file)
            self._file = _opened(self._path)
        rest = memoryview("".join(map(_line, lines)).encode())
        while rest:
            rest = rest[os.write(self._file, rest) :]


def _line(fields: dict[str, Any]) -> str:
    when = datetime.fromtimestamp(fields["time"], UTC).isoformat(timespec="milliseconds")
    told = {
        name: value[:_MAX_CHARS] if isinstance(value, str) else value
        for name, value in fields.items()
        if value is not None
    }
    # Escaped to ASCII: nothing a client sends can begin a line of its own or steer a terminal.
    return json.dumps({**told, "time": when.replace("+00:00", "Z")}) + "\n"


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _NEW_FILE_MODE)
    except OSError as error:
        raise ServeError(
            f"--access_log {path} must be a file that can be written. Received: {error.strerror}."
        ) from error


def _moved(path: Path, file: int) -> bool:
    try:
        return not os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return True
