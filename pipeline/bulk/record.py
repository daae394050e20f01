"""Answers as JSON lines or CSV, in a file that grows aside and is taken up again after an interruption."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO

import numpy as np

from roadworthy.pipeline.bulk.ask import Answer
from roadworthy.serving.errors import ConfigError

FORMATS: Final = ("json", "csv")
_DIGEST_BYTES: Final = 8


class Format:
    """One of `FORMATS`: how an answer is a line, and a line an answer."""

    def __init__(self, kind: str, *, is_classifier: bool) -> None:
        self.kind = kind
        self._columns = ["file", "label", "score", "error"] if is_classifier else ["file", "outputs", "error"]

    @property
    def header(self) -> str:
        """The first line; JSON lines have none."""
        return _csv_line(self._columns) if self.kind == "csv" else ""

    def line(self, answer: Answer) -> str:
        """An answer, with the line's end."""
        record = {"file": answer.file, **answer.fields, **({"error": answer.error} if answer.error else {})}
        if self.kind == "json":
            return json.dumps(record) + "\n"
        return _csv_line(_cell(record.get(column, "")) for column in self._columns)

    def read(self, lines: Iterable[str]) -> Iterator[tuple[str, str, bool]]:
        """File, line and whether it is an answer, for each whole line; a line cut off in the middle is left out."""
        if self.kind == "csv":
            for row in csv.reader(lines):
                if len(row) == len(self._columns) and row != self._columns:
                    yield row[0], _csv_line(row), not row[-1]
            return
        for line in lines:
            try:
                record = json.loads(line)
                yield record["file"], line, "error" not in record
            except (ValueError, LookupError, TypeError):
                continue


class Part:
    """The file for `--out` while it is written: beside it, under a name that says which question it answers.

    Attributes:
        done: files that an earlier, interrupted run has answered.
    """

    def __init__(self, out: Path, form: Format, *, question: Any) -> None:
        """Opens the part, and takes up what an earlier run of the same question left of it.

        Raises:
            ConfigError: the folder can't be written to.
        """
        self._out, self._form = out, form
        told = json.dumps([form.kind, question], sort_keys=True)
        name = f".{out.name}.{hashlib.sha256(told.encode()).hexdigest()[:12]}.part"
        self._path = out.with_name(name)
        try:
            self.done = Done(self._take_up())
            self._file = _open(self._path, "a")
            self._is_empty = not len(self.done)
        except OSError as error:
            raise ConfigError(
                f"--out must be a file this user can write. Received: {out}: {error.strerror}."
            ) from error

    def write(self, answer: Answer) -> None:
        """Adds an answer."""
        self._file.write(self._form.line(answer))
        self._is_empty = False

    def finish(self) -> None:
        """Puts the file in its place, in one step."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._path.replace(self._out)

    def __enter__(self) -> "Part":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()
        if self._is_empty:
            self._path.unlink(missing_ok=True)

    def _take_up(self) -> Iterator[str]:
        """Writes the part anew with the answers it has, and without its errors, which are asked about again."""
        again = self._path.with_suffix(".again")
        with _open(again, "w") as kept:
            kept.write(self._form.header)
            if self._path.exists():
                with _open(self._path, "r") as earlier:
                    for file, line, is_answer in self._form.read(_whole_lines(earlier)):
                        if is_answer:
                            kept.write(line)
                            yield file
        again.replace(self._path)


class Done:
    """A set of paths that can be asked, not listed: eight bytes for each, however many there are."""

    def __init__(self, files: Iterable[str]) -> None:
        self._digests = np.unique(np.fromiter((_digest(file) for file in files), np.uint64))

    def __len__(self) -> int:
        return len(self._digests)

    def __contains__(self, file: str) -> bool:
        at = int(np.searchsorted(self._digests, _digest(file)))
        return at < len(self._digests) and bool(self._digests[at] == _digest(file))


def _digest(file: str) -> np.uint64:
    raw = hashlib.blake2b(os.fsencode(file), digest_size=_DIGEST_BYTES).digest()
    return np.uint64(int.from_bytes(raw, "big"))


def _open(path: Path, mode: str) -> TextIO:
    # File names need not be UTF-8, and may hold a carriage return.
    return path.open(mode, encoding="utf-8", errors="surrogateescape", newline="\n")  # type: ignore[return-value]


def _whole_lines(lines: Iterable[str]) -> Iterator[str]:
    return (line for line in lines if line.endswith("\n"))


def _csv_line(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    # The writer quotes what its own line end is made of: so a lone carriage return in a name is quoted too.
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n") + "\n"


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict) else value
