"""The access log: a JSON line for every request, without what was asked or answered."""

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.access import caller_of
from roadworthy.serving.server.background import Background
from roadworthy.serving.server.observe import Call, Observer
from roadworthy.serving.server.request_id import HEADER as REQUEST_ID
from roadworthy.serving.server.request_id import request_id

_CAPACITY: Final = 10_000
# Names come from clients; a line must not become as long as they like.
_MAX_CHARS: Final = 200
_NEW_FILE_MODE: Final = 0o640
_STDERR: Final = 2


class AccessLog(Observer):
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

    def arrived(self, call: Call) -> None:
        """Gives the request an id, which its answer tells."""
        call.notes[self] = named = request_id(call.header(REQUEST_ID))
        call.answer_headers.append((REQUEST_ID, named.encode()))

    def done(self, call: Call) -> None:
        """Leaves a line."""
        self._lines.put(
            {
                "time": time.time() - call.seconds,
                "id": call.notes.get(self),
                "transport": call.transport,
                "method": call.method,
                "model": call.model or None,
                "version": call.version,
                "code": call.code,
                "ms": round(call.seconds * 1000, 3),
                "request_bytes": call.request_bytes,
                "response_bytes": call.response_bytes,
                "peer": call.peer,
                "caller": caller_of(call),
            }
        )

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
        rest = memoryview(b"".join(map(_line, lines)))
        while rest:
            rest = rest[os.write(self._file, rest) :]


def _line(fields: dict[str, Any]) -> bytes:
    told = {name: _plain(value) for name, value in fields.items() if value is not None}
    when = datetime.fromtimestamp(fields["time"], UTC).isoformat(timespec="milliseconds")
    return orjson.dumps(told | {"time": when.replace("+00:00", "Z")}, option=orjson.OPT_APPEND_NEWLINE)


def _plain(value: Any) -> Any:
    """A text short and in ASCII: nothing a client sends can steer a terminal or begin a line of its own."""
    return value[:_MAX_CHARS].encode("ascii", "backslashreplace").decode() if isinstance(value, str) else value


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
