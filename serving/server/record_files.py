"""A series of TFRecord files that never grows beyond bounds: written aside, renamed when full or old."""

import contextlib
import glob
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from roadworthy.serving.errors import DataError
from roadworthy.serving.tfrecord import frame, read_records

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
MAX_TOTAL_BYTES: Final = 1024 * 1024 * 1024
MAX_AGE_S: Final = 60.0
_SUFFIX: Final = ".tfrecord"
_PARTIAL: Final = ".partial"
# Requests are people's data.
_FILE_MODE: Final = 0o600


class RecordFiles:
    """Appends records to `<prefix>-<time>-<process>-<number>.tfrecord`; not for several threads.

    A reader sees whole files only. Once all files of the prefix together are too large, the oldest go. What a process
    that was killed had begun is ended by the next one.
    """

    def __init__(
        self,
        prefix: Path,
        *,
        max_file_bytes: int = MAX_FILE_BYTES,
        max_total_bytes: int = MAX_TOTAL_BYTES,
        max_age_s: float = MAX_AGE_S,
    ) -> None:
        self._prefix = prefix
        self._max_file_bytes = max_file_bytes
        self._max_total_bytes = max_total_bytes
        self._max_age_s = max_age_s
        self._count = 0
        self._file: BinaryIO | None = None
        self._path = prefix
        self._rotate_at = 0.0
        self._end_orphans()

    def append(self, record: bytes) -> None:
        """Writes a record, and first ends the file it no longer fits into.

        Raises:
            OSError: it can't be written; what was written before is kept.
        """
        framed = frame(record)
        if self._file is not None and self._file.tell() + len(framed) > self._max_file_bytes:
            self.rotate()
        if self._file is None:
            self._file = self._begin()
        self._file.write(framed)

    def rotate_if_old(self) -> None:
        """Ends a file that was begun long enough ago."""
        if self._file is not None and time.monotonic() >= self._rotate_at:
            self.rotate()

    def rotate(self) -> None:
        """Ends the file there is, if any: it appears under its own name, whole."""
        if self._file is None:
            return
        file, self._file = self._file, None
        with file:
            file.flush()
            os.fsync(file.fileno())
        self._path.rename(self._path.with_name(self._path.name.removeprefix(".").removesuffix(_PARTIAL)))
        self._remove_oldest()

    def _begin(self) -> BinaryIO:
        self._prefix.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        name = f".{self._prefix.name}-{stamp}-{os.getpid()}-{self._count:06d}{_SUFFIX}{_PARTIAL}"
        self._count += 1
        self._path = self._prefix.with_name(name)
        self._rotate_at = time.monotonic() + self._max_age_s
        return os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE), "wb")

    def _end_orphans(self) -> None:
        beginning, end = f".{self._prefix.name}-", _SUFFIX + _PARTIAL
        for path in self._prefix.parent.glob(f"{glob.escape(beginning)}*{end}"):
            name = path.name.removeprefix(".").removesuffix(_PARTIAL)
            if _is_stamped(name.removeprefix(beginning[1:])) and not _is_alive(int(name.split("-")[-2])):
                os.truncate(path, _whole_bytes(path))
                path.rename(path.with_name(name))

    def _remove_oldest(self) -> None:
        beginning = f"{self._prefix.name}-"
        # Their names sort by time.
        ended = sorted(
            path
            for path in self._prefix.parent.iterdir()
            if path.name.startswith(beginning) and _is_stamped(path.name.removeprefix(beginning))
        )
        total = sum(path.stat().st_size for path in ended)
        for path in ended[:-1]:
            if total <= self._max_total_bytes:
                return
            total -= path.stat().st_size
            path.unlink(missing_ok=True)


def _is_stamped(rest: str) -> bool:
    """Whether a name goes on as ours do, so that `m-2…` is not taken for a file of the prefix `m`."""
    parts = rest.removesuffix(_SUFFIX).split("-")
    return rest.endswith(_SUFFIX) and len(parts) == 3 and parts[0][:8].isdecimal() and "T" in parts[0]  # noqa: PLR2004


def _is_alive(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def _whole_bytes(path: Path) -> int:
    """How long the part of a file is that ends with a whole record."""
    length = 0
    with contextlib.suppress(DataError):
        for record in read_records(path):
            length += len(frame(record))
    return length
