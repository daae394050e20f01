"""A LiteRT file, tried in a process of its own before it may run in the server's.

LiteRT checks that a file is a whole flatbuffer, not that what stands in it makes sense: operators over tensors that are
too small, or of sizes that no memory holds, end the process that loads them.
"""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from roadworthy.serving.errors import ServeError

TIMEOUT_S: Final = 60.0
_REFUSED: Final = 3


def try_out(path: Path, *, timeout_s: float = TIMEOUT_S) -> None:
    """Loads and runs a file once, on zeros, in a child process.

    Args:
        path: a `.tflite` file.
        timeout_s: longest time that may take.

    Raises:
        ServeError: LiteRT refuses the file, dies of it, or doesn't come to an end.
    """
    try:
        done = subprocess.run(  # noqa: S603 this interpreter and a path
            [sys.executable, "-m", __name__, str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _unfit(path, f"one that doesn't come to an end within {timeout_s:g} s") from error
    if done.returncode < 0:
        raise _unfit(path, f"one of which LiteRT dies ({signal.Signals(-done.returncode).name})")
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise _unfit(path, lines[-1] if lines else f"exit code {done.returncode} of its trial")


def run_on_zeros(interpreter: Any) -> None:
    """Runs the network of an interpreter whose tensors are allocated.

    Raises:
        RuntimeError, ValueError: LiteRT can't run it, or it takes no zeros.
    """
    import numpy as np

    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
    interpreter.invoke()


def _unfit(path: Path, received: str) -> ServeError:
    return ServeError(f"{path} must be a whole LiteRT model. Received: {received}.")


def _run(path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=1)
    interpreter.allocate_tensors()
    run_on_zeros(interpreter)
    for detail in interpreter.get_output_details():
        interpreter.get_tensor(detail["index"])


def _die_first() -> None:
    """When memory runs out, Linux is to end this process and not the server."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def main() -> int:
    """The child's side: exit code 0 for a file that runs, else the reason on stderr."""
    _die_first()
    try:
        _run(Path(sys.argv[1]))
    except Exception as error:
        sys.stderr.write(f"{str(error).strip() or type(error).__name__}\n".replace("\n", " ") + "\n")
        return _REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
