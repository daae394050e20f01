"""Load that costs little to make: wrk over REST and h2load over gRPC, both of them C programs on one thread."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.claims import Result

_POST: Final = Path(__file__).with_name("post.lua")
# Debian's packages by the program that is wanted of them.
_PACKAGES: Final = {"wrk": "wrk", "h2load": "nghttp2-client"}
_DATA_BYTES: Final = re.compile(r"\((\d+)\) data")
_TIMEOUT_S: Final = 60


@dataclass(frozen=True)
class Load:
    """What a burst of requests came to.

    Attributes:
        requests_per_s: answers a second, wrong ones among them.
        p50_ms: median time from request to answer.
        p99_ms: its 99th percentile.
        failed: requests that had no answer, or one of another status or length than the right one.
    """

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    failed: int

    def row(self) -> Result:
        """The figures by name."""
        return {"requests_per_s": self.requests_per_s, "p50_ms": self.p50_ms, "p99_ms": self.p99_ms}


def check_tools() -> None:
    """Stops with what to install if a load generator is missing."""
    if missing := [program for program in _PACKAGES if not shutil.which(program)]:
        raise SystemExit(
            f"{' and '.join(_PACKAGES)} must be on PATH. Missing: {' '.join(missing)}. "
            f"Run: apt-get install {' '.join(_PACKAGES[program] for program in missing)}"
        )


def rest_load(url: str, body: bytes, *, clients: int, seconds: float) -> Load:
    """Each client posts the body, waits for the answer, and posts it again."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        done = _run(
            ["wrk", "-t1", f"-c{clients}", f"-d{seconds:.0f}s", "--timeout", "10s", "-s", str(_POST), url],
            BENCH_BODY=file.name,
        )
    told = json.loads(done.strip().rsplit("\n", 1)[-1])
    rate = told["requests"] / told["seconds"]
    return Load(rate, told["p50_ms"], told["p99_ms"], told["refused"] + told["failed"])


def grpc_load(url: str, message: bytes, *, answer_bytes: int, clients: int, seconds: float) -> Load:
    """Each client is one connection that calls a unary method, waits, and calls again.

    Args:
        url: http://HOST:PORT/package.Service/Method.
        message: the serialized request.
        answer_bytes: length of the right answer as a message. gRPC tells errors in trailers, which h2load does not
            read; but an error has no message, so that the bytes of all answers tell whether each was whole.
        clients: how many.
        seconds: how long.
    """
    with tempfile.TemporaryDirectory() as name:
        frame, log = Path(name) / "frame", Path(name) / "log"
        frame.write_bytes(framed(message))
        timing = ["-t1", f"-c{clients}", "-m1", f"-D{seconds:.0f}", f"--log-file={log}"]
        headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
        done = _run(["h2load", *timing, *headers, "-d", str(frame), url])
        requests = np.loadtxt(log, dtype=np.int64, ndmin=2)
    if not requests.size:
        raise SystemExit(f"{url} must answer. Received: nothing in {seconds:.0f} s.")
    statuses, micros = requests[:, 1], requests[:, 2]
    whole = int(_DATA_BYTES.search(done)[1]) / (answer_bytes + len(framed(b"")))
    p50_ms, p99_ms = np.percentile(micros, [50, 99]) / 1e3
    failed = int((statuses != 200).sum()) + round(abs(len(requests) - whole))
    return Load(len(requests) / seconds, float(p50_ms), float(p99_ms), failed)


def framed(message: bytes) -> bytes:
    """A gRPC message as it stands in an HTTP/2 body: a flag for compression, four bytes of length, the message."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def _run(command: list[str], **environment: str) -> str:
    done = subprocess.run(
        command,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{command[0]} failed. Received: {done.stdout[-1000:]}")
    return done.stdout
