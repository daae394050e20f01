"""Beam runners with workers that are processes: what a cluster does, on the loopback."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc

from roadworthy.pipeline.beam.arguments import beam_arguments

WAIT_S = 60
IN_PROCESS = beam_arguments(1)
TWO_PROCESSES = beam_arguments(2)


class WorkerPool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """Starts a process for every worker that a runner asks for."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen] = []

    def pids(self) -> list[int]:
        """The processes' ids, oldest first."""
        return [process.pid for process in self.processes]

    def StartWorker(self, request, context):  # noqa: N802
        del context
        harness = "from apache_beam.runners.worker.sdk_worker import SdkHarness"
        call = f"SdkHarness({request.control_endpoint.url!r}, worker_id={request.worker_id!r}).run()"
        self.processes.append(subprocess.Popen([sys.executable, "-c", f"{harness}; {call}"]))
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(self, request, context):  # noqa: N802
        del request, context
        return beam_fn_api_pb2.StopWorkerResponse()


@contextmanager
def portable_runner(folder: Path) -> Iterator[tuple[list[str], WorkerPool]]:
    """Beam's local job service in a process of its own, and a pool of external workers; gives Beam's options for it."""
    pool, port_file = WorkerPool(), folder / "port"
    server = grpc.server(futures.ThreadPoolExecutor(4))
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    pool_port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    command = ["-m", "apache_beam.runners.portability.local_job_service_main", "--port_file", str(port_file)]
    service = subprocess.Popen([sys.executable, *command, "--staging_dir", str(folder / "staging")])
    try:
        yield (
            [
                "--runner=PortableRunner",
                f"--job_endpoint=localhost:{_written(port_file)}",
                "--environment_type=EXTERNAL",
                f"--environment_config=localhost:{pool_port}",
            ],
            pool,
        )
    finally:
        for process in [service, *pool.processes]:
            process.kill()
            process.wait()
        server.stop(0)


def worker_processes() -> list[int]:
    """The process ids of Beam's workers, forks of a nursery that this process has started."""
    nurseries = [pid for pid in _children(os.getpid()) if "roadworthy.pipeline.beam.forks" in _command(pid)]
    return [pid for one in nurseries for pid in _children(one)]


def kill_when(appears: Path, pattern: str, pids) -> int:
    """Kills the first of the processes once a file is there; gives its id."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        if next(appears.glob(pattern), None) and (found := pids()):
            os.kill(found[0], signal.SIGKILL)
            return found[0]
        time.sleep(0.02)
    raise AssertionError(f"no {pattern} in {appears}, or no workers")


def _children(parent: int) -> list[int]:
    tasks = Path(f"/proc/{parent}/task").iterdir()
    return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _written(path: Path) -> str:
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        if path.exists() and (text := path.read_text()):
            return text
        time.sleep(0.05)
    raise AssertionError(f"{path} was not written")
