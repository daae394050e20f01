"""Wall time of one answer, for several exported models in one run, so that noise hits all of them alike."""

import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from roadworthy.models.measure.results import Latency
from roadworthy.serving.contract import IMAGE_INPUT, IMAGE_SIGNATURE
from roadworthy.serving.errors import DataError
from roadworthy.serving.servables.base import Servable
from roadworthy.serving.servables.open import open_servable

WARM_UP_CALLS: Final = 10


def measure_latency(
    version_dirs: Sequence[Path], images: Sequence[bytes], *, calls: int, threads: int, warm_up: int = WARM_UP_CALLS
) -> tuple[Latency, ...]:
    """Times single images through the `image_bytes` signature: decode, resize and network, as a server answers.

    The models take turns, one image each, so a busy moment of the machine slows them alike.

    Args:
        version_dirs: exported version folders.
        images: JPEG or PNG files' bytes; used in turn, over and over.
        calls: timed calls of each model, at least 1.
        threads: threads one call may use, at least 1.
        warm_up: calls of each model before the first timed one.

    Returns:
        One `Latency` for each folder, in order; p50 and p95 by linear interpolation, milliseconds.

    Raises:
        DataError: no image.
        ServeError: a version can't be loaded.
    """
    if not images:
        raise DataError("Latency must be measured on at least one image. Received: none.")
    servables = [open_servable(folder, threads=threads) for folder in version_dirs]
    try:
        turns = itertools.islice(itertools.cycle(images), warm_up + calls)
        seconds = np.array([[_seconds(servable, image) for servable in servables] for image in turns])[warm_up:]
    finally:
        for servable in servables:
            servable.close()
    return tuple(latency_of(column, threads=threads) for column in seconds.T)


def latency_of(seconds: Sequence[float] | np.ndarray, *, threads: int) -> Latency:
    """Percentiles of the timed calls of one model, given in seconds."""
    p50_ms, p95_ms = (float(value) for value in np.percentile(np.asarray(seconds) * 1e3, [50, 95]))
    return Latency(p50_ms=p50_ms, p95_ms=p95_ms, calls=len(seconds), threads=threads)


def _seconds(servable: Servable, image: bytes) -> float:
    batch = np.array([image], dtype=object)
    started = time.perf_counter()
    servable.predict(IMAGE_SIGNATURE, {IMAGE_INPUT: batch})
    return time.perf_counter() - started
