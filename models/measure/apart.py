"""Runs a measurement in a Python of its own, which has used no TensorFlow and holds no other model."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from roadworthy.models.config import Settings
from roadworthy.serving.errors import ModelError

_TIMEOUT_S: Final = 3600
_SAID: Final = 2000


class Request(Settings):
    """What every such process is told: models and images to ask them about."""

    version_dirs: tuple[Path, ...]
    images: tuple[Path, ...] = ()


def run_apart(module: str, request: Request, images: Sequence[bytes]) -> Any:
    """Runs a module that ends in `answer`, and returns its JSON.

    Args:
        module: import path.
        request: all that it is asked, save the images.
        images: encoded images, handed over as files.

    Raises:
        ModelError: the process failed; the message carries the end of what it said.
    """
    with tempfile.TemporaryDirectory(prefix="roadworthy-measure-") as name:
        paths = tuple(Path(name) / f"image-{index}" for index in range(len(images)))
        for path, image in zip(paths, images, strict=True):
            path.write_bytes(image)
        result = Path(name) / "result.json"
        ran = subprocess.run(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", module, str(result)],
            input=request.model_copy(update={"images": paths}).model_dump_json(),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        if ran.returncode:
            folders = ", ".join(map(str, request.version_dirs))
            raise ModelError(f"{folders} could not be measured. Received: {ran.stderr[-_SAID:].strip()}")
        return json.loads(result.read_text())


def answer(request_class: type[Request], measure: Callable[[Any, list[bytes]], Any]) -> None:
    """The other side: reads a request from standard input, writes what `measure` gives to the file in argv.

    Args:
        request_class: of the request.
        measure: from the request and the images to something JSON can hold.
    """
    request = request_class.model_validate_json(sys.stdin.read())
    images = [path.read_bytes() for path in request.images]
    Path(sys.argv[1]).write_text(json.dumps(measure(request, images)))
