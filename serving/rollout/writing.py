"""Files that are whole or not there."""

import os
import uuid
from pathlib import Path


def write_aside(path: Path, text: str) -> None:
    """Writes a file beside its place and puts it there in one step.

    Raises:
        OSError: it can't be written; what was there stays.
    """
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with aside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
