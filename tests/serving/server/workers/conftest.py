"""Servers of two worker processes with a model that loads in a moment."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contracts.mean_colour import write_mean_colour
from contracts.server_process import Process, start_process
from contracts.waiting import wait_for

_PROCESS = b"roadworthy.serving.server.workers.process"


@pytest.fixture
def colour(tmp_path) -> Path:
    """A base path with version 1."""
    write_mean_colour(tmp_path / "colour" / "1")
    return tmp_path / "colour"


@pytest.fixture
def start(colour) -> Iterator[Callable[..., Process]]:
    """Starts servers of two workers with more flags; nothing of them is left when the test is over."""
    running = []

    def started(*flags: str, base_path: Path = colour, **options) -> Process:
        models = ("--model_name=colour", f"--model_base_path={base_path}")
        running.append(start_process("--workers=2", *models, *flags, **options))
        return running[-1]

    yield started
    for process in running:
        left = workers_of(process) if process.popen.poll() is None else []
        process.popen.kill()
        process.popen.wait()
        wait_for(lambda left=left: not any(map(is_running, left)))


def workers_of(process: Process) -> list[int]:
    """The process ids of a server's workers, in order of their start."""
    threads = Path(f"/proc/{process.popen.pid}/task").iterdir()
    children = [child for thread in threads for child in (thread / "children").read_text().split()]
    return sorted(int(child) for child in children if _PROCESS in Path(f"/proc/{child}/cmdline").read_bytes())


def is_running(pid: int) -> bool:
    """Whether a process has not ended."""
    return Path(f"/proc/{pid}").exists()


def connected(process: Process, count: int) -> list[socket.socket]:
    """Connections over REST, each of which was answered once."""
    clients = [socket.create_connection(("127.0.0.1", process.rest_port), timeout=20) for _ in range(count)]
    for client in clients:
        assert probe(client).startswith(b"HTTP/1.1 200")
    return clients


def probe(client: socket.socket, path: str = "/livez") -> bytes:
    """What a connection is answered; nothing where it was lost."""
    try:
        client.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        return client.recv(4096)
    except ConnectionError:
        return b""
