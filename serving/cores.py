"""How many cores this process may use: those that it may run on, or what its container is given of them."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_GROUPS: Final = Path("/sys/fs/cgroup")
_OWN: Final = Path("/proc/self/cgroup")


def available_cores(*, groups: Path = _GROUPS, own: Path = _OWN) -> int:
    """Cores that threads of this process can run on at once, 1 or more.

    A container that is limited to two of a machine's sixteen cores may run on every one of them, so its affinity says
    sixteen; more threads than two then only wait until the kernel gives them time again. What is given stands in the
    control groups that the process is in: the least of them counts, rounded up.

    Args:
        groups: where control groups are mounted.
        own: the file that names those of this process.

    Reference: docs.kernel.org, admin-guide/cgroup-v2, cpu.max; scheduler/sched-bwc for cgroup v1.
    """
    return min([len(os.sched_getaffinity(0)), *(math.ceil(given) for given in _given(groups, own))])


def _given(groups: Path, own: Path) -> Iterator[float]:
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0" or "cpu" in controllers.split(","):
            base = groups if number == "0" else groups / controllers
            yield from (given for folder in _upwards(base, path) if (given := _quota(folder)) is not None)


def _upwards(base: Path, path: str) -> Iterator[Path]:
    """The group and all above it; a container sees itself at the top, whatever its name is outside."""
    names = [] if ".." in path.split("/") else path.strip("/").split("/")
    yield from (base.joinpath(*names[:count]) for count in range(len(names), -1, -1))


def _quota(folder: Path) -> float | None:
    """Cores that a group is given; None where it is not limited."""
    try:
        if (folder / "cpu.max").is_file():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError):  # no such file; or `max`
        return None
