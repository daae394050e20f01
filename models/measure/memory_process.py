"""Peak memory of a process that does nothing but load one model and answer: what a server pays for it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from roadworthy.models.measure.apart import Request, answer, run_apart
from roadworthy.serving.contract import IMAGE_INPUT, IMAGE_SIGNATURE
from roadworthy.serving.servables.open import open_servable

_KIBIBYTE: Final = 1024


def measure_memory(version_dir: Path, images: Sequence[bytes]) -> int:
    """Loads a model in a Python of its own and answers one image after the other.

    A SavedModel's figure holds TensorFlow's runtime, which it can't do without; a LiteRT file's does not.

    Args:
        version_dir: an exported version folder.
        images: encoded images, at least one.

    Returns:
        Most bytes the process held in memory at once, as Linux counted them.

    Raises:
        ModelError: the process failed; the message carries the end of what it said.
    """
    return int(run_apart(__spec__.name, Request(version_dirs=(version_dir,)), images))


def _measure(request: Request, images: list[bytes]) -> int:
    (version_dir,) = request.version_dirs
    servable = open_servable(version_dir)
    for image in images:
        servable.predict(IMAGE_SIGNATURE, {IMAGE_INPUT: np.array([image], dtype=object)})
    return _peak_bytes(Path("/proc/self/status").read_text())


def _peak_bytes(status: str) -> int:
    """VmHWM. `ru_maxrss` would not do: a new process starts with the peak of the one that started it."""
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * _KIBIBYTE


if __name__ == "__main__":
    answer(Request, _measure)
