"""Runs an image's root as Kubernetes would: its user, a read-only root, a tmpfs for /tmp, a network of its own."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from image_check.build import Image

# In new namespaces of mounts, network and processes: $1 is the root, $2 the models, $3 the user, then the command.
_START: Final = """
root=$1 models=$2 user=$3; shift 3
ip link set lo up
mkdir -p "$root/models"
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --bind "$models" "$root/models"
mount -o remount,ro,bind "$root/models"
mount -o remount,ro,bind "$root"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
exec chroot --userspec="$user" "$root" "$@"
"""
_NAMESPACES: Final = ("--mount", "--net", "--pid", "--fork", "--kill-child")


class Container:
    """A running image."""

    def __init__(self, image: Image, started: subprocess.Popen[str]) -> None:
        self._image = image
        self._started = started
        self.process_id = _child_of(started.pid)

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Runs a command in the container, as its user; what it prints is kept."""
        entered = ["nsenter", "--target", str(self.process_id), "--mount", "--net", "--pid"]
        jailed = ["chroot", f"--userspec={self._image.user}", self._image.root, *command]
        return subprocess.run(
            [*entered, *jailed], env=self._image.environment, capture_output=True, text=True, check=False
        )

    def healthy_within(self, seconds: float) -> bool:
        """Whether its own HEALTHCHECK passes before so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._started.poll() is None:
            if self.run(self._image.healthcheck).returncode == 0:
                return True
            time.sleep(0.5)
        return False

    def stop(self, *, seconds: float = 60.0) -> int:
        """Asks it to stop, as Docker does; its exit code."""
        os.kill(self.process_id, signal.SIGTERM)
        return self._started.wait(timeout=seconds)


@contextlib.contextmanager
def running(image: Image, *, models: Path, log: Path, arguments: Sequence[str] | None = None) -> Iterator[Container]:
    """A container of an image, with its own command line unless other arguments are given; killed at the end.

    Args:
        image: what to run.
        models: folder that is there as /models, read-only.
        log: file for what it prints.
        arguments: in place of the image's CMD.
    """
    command = [*image.entrypoint, *(image.command if arguments is None else arguments)]
    start = ["unshare", *_NAMESPACES, "bash", "-ec", _START, "start", image.root, models, image.user, *command]
    with log.open("w") as out:
        started = subprocess.Popen(start, env=image.environment, stdout=out, stderr=out, text=True)
        try:
            yield Container(image, started)
        finally:
            started.kill()
            started.wait()


def _child_of(process_id: int) -> int:
    """The first process of the new namespace, which unshare forks."""
    children = Path(f"/proc/{process_id}/task/{process_id}/children")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if children.exists() and (found := children.read_text().split()):
            return int(found[0])
        time.sleep(0.02)
    raise RuntimeError(f"process {process_id} started no container within 10 s")
