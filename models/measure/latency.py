"""Wall time of one answer, for several exported models in one run, so that noise hits all of them alike."""

import functools
import itertools
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from roadworthy.models.measure.results import Latency
from roadworthy.serving.contract import IMAGE_INPUT, IMAGE_SIGNATURE
from roadworthy.serving.errors import DataError
from roadworthy.serving.servables.base import Servable
from roadworthy.serving.servables.open import open_servable
from roadworthy.serving.servables.tensorflow_threads import TensorFlowThreads

WARM_UP_CALLS: Final = 10
MIN_BATCH_CALLS: Final = 3
# Timed calls of a model in one turn.
BURST: Final = 5
_ORDER_SEED: Final = 0


def measure_latency(
    version_dirs: Sequence[Path],
    images: Sequence[bytes],
    *,
    calls: int,
    threads: int,
    batch: int,
    warm_up: int = WARM_UP_CALLS,
) -> tuple[Latency, ...]:
    """Times images through the `image_bytes` signature: decode, resize and network, as a server answers.

    The models take turns, so a busy moment of the machine slows them alike: first with single images, then with
    batches, of which there are a twentieth as many. A turn is a few calls in a row, and its first call is not timed:
    TensorFlow's threads go on spinning for a moment after an answer, and would slow whichever model came next. For
    the same reason every round has another order.

    Args:
        version_dirs: exported version folders.
        images: JPEG or PNG files' bytes; used in turn, over and over.
        calls: timed calls of each model with a single image, at least 1.
        threads: threads one call may use, at least 1.
        batch: images a call while throughput is measured, at least 1.
        warm_up: rounds before the first timed one.

    Returns:
        One `Latency` for each folder, in order; percentiles by linear interpolation, milliseconds.

    Raises:
        DataError: no image.
        ServeError: a version can't be loaded.
    """
    if not images:
        raise DataError("Latency must be measured on at least one image. Received: none.")
    alike = functools.partial(
        open_servable, tensorflow_threads=TensorFlowThreads(intra_op=threads), litert_threads=threads
    )
    servables = [alike(folder) for folder in version_dirs]
    try:
        singles = _in_turns(servables, images, batch=1, calls=calls, warm_up=warm_up)
        batches = _in_turns(servables, images, batch=batch, calls=max(MIN_BATCH_CALLS, calls // 20), warm_up=1)
    finally:
        for servable in servables:
            servable.close()
    return tuple(
        latency_of(single, threads=threads, batch=batch, batch_seconds=together)
        for single, together in zip(singles, batches, strict=True)
    )


def latency_of(
    seconds: npt.NDArray[np.float64], *, threads: int, batch: int, batch_seconds: npt.NDArray[np.float64]
) -> Latency:
    """Percentiles of one model's calls with single images, and throughput by the median call with a batch."""
    p50_ms, p95_ms, p99_ms = (float(value) for value in np.percentile(seconds * 1e3, [50, 95, 99]))
    return Latency(
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
        calls=len(seconds),
        threads=threads,
        batch=batch,
        images_per_s=batch / float(np.median(batch_seconds)),
    )


def _in_turns(
    servables: Sequence[Servable], images: Sequence[bytes], *, batch: int, calls: int, warm_up: int
) -> npt.NDArray[np.float64]:
    """Seconds of every timed call, float64[servables, calls]."""
    order = random.Random(_ORDER_SEED)  # noqa: S311 - no secret
    stream = itertools.cycle(images)
    seconds: list[list[float]] = [[] for _ in servables]
    for turn in itertools.count():
        timed = 0 if turn < warm_up else min(BURST, calls - len(seconds[0]))
        given = [[next(stream) for _ in range(batch)] for _ in range(1 + timed)]
        for place in order.sample(range(len(servables)), len(servables)):
            burst = [_seconds(servables[place], one) for one in given]
            seconds[place] += burst[1:]
        if len(seconds[0]) >= calls:
            break
    return np.array(seconds)


def _seconds(servable: Servable, images: Sequence[bytes]) -> float:
    given = np.array(images, dtype=object)
    started = time.perf_counter()
    servable.predict(IMAGE_SIGNATURE, {IMAGE_INPUT: given})
    return time.perf_counter() - started
