"""Files to ask about, found one at a time, so that a folder of millions needs no memory."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, TextIO

from roadworthy.serving.errors import DataError

STDIN: Final = "-"
IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png")


def check_words(words: Sequence[str]) -> None:
    """Refuses a word that names nothing, before anything is asked.

    Raises:
        DataError: the first one that is no file, no folder and no pattern that fits a file.
    """
    for word in words:
        if word != STDIN and not os.path.lexists(word) and next(glob.iglob(word, recursive=True), None) is None:
            raise DataError(f"{word} must be a readable image file, a folder or a pattern. Received: nothing there.")


def find_files(words: Iterable[str], *, stdin: TextIO, suffixes: Sequence[str] = ()) -> Iterator[str]:
    """The files that words name, in the order in which the file system lists them.

    Args:
        words: files, folders (with all below them), patterns such as ``photos/**/*.png``, or ``-`` for a list of paths.
        stdin: where ``-`` has its list, a path a line.
        suffixes: of the files taken from folders, in lower case; none is all. Hidden files are left out.

    Yields:
        Paths; whether they can be read shows when they are.
    """
    for word in words:
        if word == STDIN:
            yield from (line.rstrip("\r\n") for line in stdin if line.strip())
        elif os.path.lexists(word):
            yield from _below(word, suffixes) if os.path.isdir(word) else (word,)
        else:
            yield from (path for path in glob.iglob(word, recursive=True) if not os.path.isdir(path))


def _below(folder: str, suffixes: Sequence[str]) -> Iterator[str]:
    folders = [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                # A link to a folder may lead back to where it lies.
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif not suffixes or Path(entry.name).suffix.lower() in suffixes:
                    yield entry.path
