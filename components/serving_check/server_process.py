"""The model server in a process of its own, as a rehearsal starts and stops it."""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from roadworthy.serving.server.ports import listen

HOST: Final = "127.0.0.1"
_STOP_S: Final = 30.0
_SAID: Final = 2000
_PEAK: Final = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True)
class ServerProcess:
    """A server that was started and may or may not answer yet.

    Attributes:
        started: when, seconds of `time.monotonic`.
        addresses: HOST:PORT by transport.
    """

    process: subprocess.Popen[bytes]
    started: float
    addresses: dict[str, str]
    log: IO[bytes]

    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    def peak_memory_bytes(self) -> int | None:
        """Its largest resident memory so far; None once it has ended."""
        status = Path(f"/proc/{self.process.pid}/status")
        peak = None if self.has_ended() else _PEAK.search(status.read_text())
        return int(peak[1]) * 1024 if peak else None

    def said(self) -> str:
        """The end of what it logged."""
        self.log.seek(0)
        return self.log.read()[-_SAID:].decode(errors="replace").strip()

    def stop(self) -> str | None:
        """Stops it as an orchestrator does; says what was wrong with how it ended, if anything was."""
        if self.has_ended():
            return f"The server must run until it is stopped. Received: exit code {self.process.returncode}."
        self.process.terminate()
        try:
            code = self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return f"The server must end within {_STOP_S:.0f} s of SIGTERM. Received: it did not."
        return f"The server must end with exit code 0 after SIGTERM. Received: {code}." if code else None


@contextmanager
def server_process(base_path: Path, *, name: str) -> Iterator[ServerProcess]:
    """Starts a server of one model on loopback; it is gone afterwards, whatever happens.

    Args:
        base_path: the model's folder of version folders.
        name: the model's.
    """
    ports = {"grpc": free_port(), "rest": free_port()}
    command = [
        sys.executable, "-m", "roadworthy.serving.server.main",
        f"--host={HOST}", f"--port={ports['grpc']}", f"--rest_api_port={ports['rest']}",
        f"--model_name={name}", f"--model_base_path={base_path}", "--max_num_load_retries=0",
    ]  # fmt: skip
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603 - our own
        addresses = {transport: f"{HOST}:{port}" for transport, port in ports.items()}
        try:
            yield ServerProcess(process, time.monotonic(), addresses, log)
        finally:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with listen(HOST, 0, option="port") as found:
        return int(found.getsockname()[1])
