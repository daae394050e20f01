"""Model servers in processes of their own, started by their command line."""

import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import httpx

from contracts.ports import free_port

COMMAND = (sys.executable, "-m", "roadworthy.serving.server.main")


@dataclass
class Process:
    """A model server in a process of its own."""

    popen: subprocess.Popen
    grpc_port: int
    rest_port: int
    log: list[str]

    def get(self, path: str) -> httpx.Response:
        """Asks over REST."""
        return httpx.get(f"http://127.0.0.1:{self.rest_port}{path}", trust_env=False, timeout=60)

    def rss_mb(self) -> float:
        """The memory that it and its workers have in use now, MB."""
        threads = Path(f"/proc/{self.popen.pid}/task").glob("*/children")
        workers = [pid for thread in threads for pid in thread.read_text().split()]
        status = [Path(f"/proc/{pid}/status").read_text() for pid in (self.popen.pid, *workers)]
        return sum(int(re.search(r"VmRSS:\s+(\d+) kB", one)[1]) / 1024 for one in status)


def start_process(*flags: str, ports: tuple[int, int] | None = None, command: tuple[str, ...] = COMMAND) -> Process:
    """Starts a server and returns once it serves."""
    log: list[str] = []
    grpc_port, rest_port = ports or (0, free_port())
    command = (*command, f"--port={grpc_port}", f"--rest_api_port={rest_port}", "--file_system_poll_wait_seconds=0.05")
    popen = subprocess.Popen([*command, *flags], stderr=subprocess.PIPE, text=True)
    for line in popen.stderr:
        log.append(line)
        if said := re.match(r"Serving: gRPC (\d+), REST (\d+)", line):
            threading.Thread(target=log.extend, args=(popen.stderr,), daemon=True).start()
            return Process(popen, int(said[1]), int(said[2]), log)
    raise AssertionError(f"it ended before it served: {''.join(log)}")
