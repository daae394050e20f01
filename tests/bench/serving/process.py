"""A server as a process group of its own: started, paused while others are measured, weighed and stopped."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

_START_S: Final = 300.0
_STOP_S: Final = 10.0
_SAID: Final = 2000


class Process:
    """A running server; a context manager that stops it and all its workers.

    Attributes:
        started: `time.monotonic()` when it was started.
    """

    def __init__(
        self, command: Sequence[str | Path], *, log: Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as said:
            self.started = time.monotonic()
            self._process = subprocess.Popen(
                list(map(str, command)),
                cwd=cwd,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", **(env or {})},
                stdout=said,
                stderr=said,
                process_group=0,
            )

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, _type: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.stop()

    def wait_until(self, answers: Callable[[], bool], *, look_s: float = 0.2) -> float:
        """Waits until it answers; the seconds since it was started.

        Raises:
            SystemExit: it stopped, or did not answer in time; the message carries the end of what it said.
        """
        while not answers():
            waited = time.monotonic() - self.started
            if self._process.poll() is not None or waited > _START_S:
                said = self._log.read_text(errors="replace")[-_SAID:]
                raise SystemExit(f"{self._log.stem} must answer within {_START_S:.0f} s. Received: {said}")
            time.sleep(look_s)
        return time.monotonic() - self.started

    def pause(self) -> None:
        """Stops its clock, so that idle workers that poll cost nobody else anything."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Goes on."""
        os.killpg(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Asks it to stop, then makes it."""
        for number in (signal.SIGCONT, signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                break
            if number == signal.SIGTERM:
                self._wait_for_group()
        self._process.wait()

    def resident_bytes(self) -> int:
        """Memory that the first process holds; our own server is only one."""
        line = next(line for line in self._status() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def _status(self) -> list[str]:
        return Path(f"/proc/{self._process.pid}/status").read_text().splitlines()

    def _wait_for_group(self) -> None:
        deadline = time.monotonic() + _STOP_S
        while time.monotonic() < deadline:
            self._process.poll()
            try:
                os.killpg(self._process.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.05)
