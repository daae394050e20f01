"""A process from which Beam's workers are forked, so that what they need is imported once, before it is needed.

A worker of Beam's own is a new Python, which imports Beam and TensorFlow for as long as thousands of images take.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from roadworthy.pipeline.beam.lost import lost_worker

# What workers of ingest and statistics need, and the node after which nobody needs them.
DATA_MODULES: Final = (
    "roadworthy.components.ingest.shards",
    "tensorflow_data_validation",
    "tfx_bsl.public.tfxio",
)
LAST_DATA_NODE: Final = "StatisticsGen"
READY: Final = b"ready"
_PROGRAM: Final = "roadworthy.pipeline.beam.forks"
_running: "list[Nursery]" = []


class Nursery:
    """The process; it and its workers are gone when this one is, however it ends."""

    def __init__(self, modules: Sequence[str] = ()) -> None:
        """Starts it, and does not wait until the modules are imported."""
        self._is_ready = False
        self._requests, theirs = _pair(socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _PROGRAM, str(theirs.fileno()), *modules],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # Ctrl-C is for this process, which ends that one.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id, the parent of its workers'."""
        return self._process.pid

    def fork(self, environment: Mapping[str, str]) -> socket.socket:
        """Starts a worker of Beam.

        Args:
            environment: of Beam's `sdk_worker_main`, beside this process' own.

        Returns:
            A socket that ends when the worker does.

        Raises:
            WorkerLost: the nursery is gone.
        """
        ours, theirs = _pair(socket.SOCK_STREAM)
        with theirs:
            try:
                self._is_ready = self._is_ready or self._requests.recv(len(READY)) == READY
                socket.send_fds(self._requests, [json.dumps(dict(environment)).encode()], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise lost_worker() from error
        return ours

    def close(self) -> None:
        """Ends it, and the workers that are left."""
        self._requests.close()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def _pair(kind: socket.SocketKind) -> tuple[socket.socket, socket.socket]:
    """Two ends that wait for each other, whatever time-out a library may have set for all sockets."""
    ends = socket.socketpair(socket.AF_UNIX, kind)
    for end in ends:
        end.settimeout(None)
    return ends


@contextmanager
def nursery(*modules: str) -> Iterator[Nursery]:
    """Gives this process' nursery; starts one for the time being if there is none.

    Args:
        modules: what workers will need; one that is already there imports no more.
    """
    if _running:
        yield _running[-1]
        return
    started = Nursery(modules)
    _running.append(started)
    try:
        yield started
    finally:
        _running.remove(started)
        started.close()
