"""Workers come of one process that has imported for them, and a lost one ends the run rather than hang it."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from contracts.waiting import wait_for
from roadworthy.pipeline.beam.arguments import beam_arguments
from roadworthy.pipeline.beam.lost import lost_workers_named
from roadworthy.pipeline.beam.nursery import Nursery, nursery
from roadworthy.serving.errors import WorkerLost


@pytest.fixture(scope="module")
def running():
    # As other libraries may leave it behind.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(0.01)
    with nursery("wave") as started:
        socket.setdefaulttimeout(before)
        yield started


def squares(folder: Path) -> set[tuple[int, int, bool]]:
    """What two processes make of ten numbers: of each the square, who worked it out, and whether `wave` was there."""

    def square(number: int) -> str:
        import os
        import sys

        return f"{number * number} {os.getppid()} {'wave' in sys.modules:d}"

    with lost_workers_named(), beam.Pipeline(options=PipelineOptions(beam_arguments(2))) as pipeline:
        _ = pipeline | beam.Create(range(10)) | beam.Map(square) | beam.io.WriteToText(f"{folder}/out")
    lines = [line.split() for path in folder.glob("out*") for line in path.read_text().splitlines()]
    return {(int(value), int(parent), imported == "1") for value, parent, imported in lines}


def listeners(folder: Path) -> set[tuple[str, str]]:
    """Process and address, as /proc/net writes it, of every socket that this process and a worker of two listen on."""
    runner = os.getpid()

    def told(_: int) -> list[str]:
        import contextlib
        import os
        from pathlib import Path

        def sockets(pid: int) -> set[str]:
            held = set()
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    held.add(os.readlink(link))
            return held

        rows = [row.split() for kind in ("tcp", "tcp6") for row in Path("/proc/net", kind).read_text().splitlines()[1:]]
        listening = [(row[1].split(":")[0], f"socket:[{row[9]}]") for row in rows if row[3] == "0A"]
        processes = {"runner": sockets(runner), "worker": sockets(os.getpid())}
        return [f"{name} {at}" for name, held in processes.items() for at, socket in listening if socket in held]

    with beam.Pipeline(options=PipelineOptions(beam_arguments(2))) as pipeline:
        _ = pipeline | beam.Create(range(2)) | beam.FlatMap(told) | beam.io.WriteToText(f"{folder}/out")
    lines = [line.split() for path in folder.glob("out*") for line in path.read_text().splitlines()]
    return {(process, address) for process, address in lines}


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def test_workers_are_forks_of_one_process_that_has_imported_for_them(running: Nursery, tmp_path: Path) -> None:
    assert squares(tmp_path) == {(number * number, running.pid, True) for number in range(10)}


def test_no_other_machine_reaches_what_runner_and_workers_talk_by(running: Nursery, tmp_path: Path) -> None:
    found = listeners(tmp_path)

    assert any(process == "runner" for process, _ in found), "The runner must listen, or nothing was looked at."
    assert [one for one in found if not one[1].endswith("0100007F")] == []


def test_a_worker_that_ends_before_it_works_is_a_lost_one(
    running: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It finds no runner at this address.
    monkeypatch.setattr(
        "roadworthy.pipeline.beam.runner.ForkedWorker._environment",
        lambda worker: {"CONTROL_API_SERVICE_DESCRIPTOR": "no descriptor", "WORKER_ID": worker.worker_id},
    )
    with pytest.raises(WorkerLost, match="Received: the end of one"):
        squares(tmp_path)


def test_without_a_nursery_a_worker_is_lost_at_once() -> None:
    started = Nursery()
    os.kill(started.pid, signal.SIGKILL)
    try:
        with pytest.raises(WorkerLost):
            started.fork({})
    finally:
        started.close()


def test_nursery_and_workers_end_with_the_process_that_started_them() -> None:
    program = """
import os, signal
from roadworthy.pipeline.beam.nursery import Nursery
print(Nursery().pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    told = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=False).stdout

    wait_for(lambda: not is_there(int(told)))
