"""The nursery's own program: `python -m roadworthy.pipeline.beam.forks DESCRIPTOR MODULE…`; see `nursery.py`.

It imports, and nothing more: no thread of gRPC or TensorFlow runs in a process that forks.
"""

import gc
import importlib
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping

from apache_beam.runners.worker import sdk_worker_main

from roadworthy.pipeline.beam.nursery import READY

_REQUEST_BYTES = 1 << 17


def await_work(requests: socket.socket) -> Mapping[str, str]:
    """Forks at each request; returns in the fork alone, with what Beam's worker finds in its environment.

    The descriptor that came with a request is left open in the fork: that it is closed tells that the fork has ended.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    requests.send(READY)
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, _REQUEST_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
        if not request:
            os.killpg(0, signal.SIGKILL)
        if os.fork() == 0:
            requests.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            environment: Mapping[str, str] = json.loads(request)
            return environment
        os.close(descriptors[0])


def main() -> None:
    """Imports, then forks until whoever asked for it is gone."""
    for module in sys.argv[2:]:
        importlib.import_module(module)
    os.environ.update(await_work(socket.socket(fileno=int(sys.argv[1]))))
    sdk_worker_main.main([])


if __name__ == "__main__":
    main()
