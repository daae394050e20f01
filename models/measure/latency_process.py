"""Latency in a fresh process: TensorFlow's thread count is fixed at first use, and a pipeline has long used it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from roadworthy.models.measure.apart import Request, answer, run_apart
from roadworthy.models.measure.latency import measure_latency
from roadworthy.models.measure.results import Latency


class LatencyRequest(Request):
    """What the process is asked to time."""

    calls: int
    threads: int
    batch: int


def measure_latency_apart(
    version_dirs: Sequence[Path], images: Sequence[bytes], *, calls: int, threads: int, batch: int
) -> tuple[Latency, ...]:
    """Times models as `measure_latency` does, in a Python of its own.

    Args:
        version_dirs: exported version folders.
        images: encoded images, used in turn.
        calls: timed calls of each model, at least 1.
        threads: threads one call may use, at least 1.
        batch: images a call while throughput is measured, at least 1.

    Returns:
        One `Latency` for each folder, in order.

    Raises:
        ModelError: the process failed; the message carries the end of what it said.
    """
    request = LatencyRequest(version_dirs=tuple(version_dirs), calls=calls, threads=threads, batch=batch)
    return tuple(Latency.model_validate(value) for value in run_apart(__spec__.name, request, images))


def _measure(request: LatencyRequest, images: list[bytes]) -> list[dict[str, Any]]:
    latencies = measure_latency(
        request.version_dirs, images, calls=request.calls, threads=request.threads, batch=request.batch
    )
    return [latency.model_dump() for latency in latencies]


if __name__ == "__main__":
    answer(LatencyRequest, _measure)
