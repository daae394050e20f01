"""Latency in a fresh process: TensorFlow's thread count is fixed at first use, and a pipeline has long used it."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from roadworthy.models.config import Settings
from roadworthy.models.measure.latency import measure_latency
from roadworthy.models.measure.records import first_images
from roadworthy.models.measure.results import Latency
from roadworthy.serving.errors import ModelError

MAX_IMAGES: Final = 64
_MODULE: Final = "roadworthy.models.measure.latency_process"
_TIMEOUT_S: Final = 3600
_SAID: Final = 2000


class Request(Settings):
    """What the process is asked to time."""

    version_dirs: tuple[Path, ...]
    images: tuple[Path, ...]
    calls: int
    threads: int


def measure_latency_apart(
    version_dirs: Sequence[Path], files: Sequence[str], *, calls: int, threads: int
) -> tuple[Latency, ...]:
    """Times models as `measure_latency` does, in a Python of its own, on the first images of a split.

    Args:
        version_dirs: exported version folders.
        files: globs of gzip TFRecords of tf.Example with `image/encoded`; the first 64 images are used in turn.
        calls: timed calls of each model, at least 1.
        threads: threads one call may use, at least 1.

    Returns:
        One `Latency` for each folder, in order.

    Raises:
        DataError: the split has no image.
        ModelError: the process failed; the message carries the end of what it said.
    """
    with tempfile.TemporaryDirectory(prefix="roadworthy-latency-") as name:
        folder = Path(name)
        # Reading the records takes TensorFlow, which must not run over there before its threads are set.
        images = _write_images(first_images(files, count=MAX_IMAGES), folder)
        request = Request(version_dirs=tuple(version_dirs), images=images, calls=calls, threads=threads)
        return _time(request, folder / "latencies.json")


def _write_images(images: Sequence[bytes], folder: Path) -> tuple[Path, ...]:
    paths = tuple(folder / f"image-{index}" for index in range(len(images)))
    for path, image in zip(paths, images, strict=True):
        path.write_bytes(image)
    return paths


def _time(request: Request, result: Path) -> tuple[Latency, ...]:
    ran = subprocess.run(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", _MODULE, str(result)],
        input=request.model_dump_json(),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if ran.returncode:
        folders = ", ".join(map(str, request.version_dirs))
        raise ModelError(f"The latency of {folders} could not be measured. Received: {ran.stderr[-_SAID:].strip()}")
    return tuple(Latency.model_validate(value) for value in json.loads(result.read_text()))


def main() -> None:
    """Reads a request from standard input and writes the latencies to the file named as the one argument."""
    request = Request.model_validate_json(sys.stdin.read())
    images = [path.read_bytes() for path in request.images]
    latencies = measure_latency(request.version_dirs, images, calls=request.calls, threads=request.threads)
    Path(sys.argv[1]).write_text(json.dumps([latency.model_dump() for latency in latencies]))


if __name__ == "__main__":
    main()
