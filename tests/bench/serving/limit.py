"""How near the server comes to the model itself: EfficientNet-Lite0 behind it, and called in process in batches.

Two workers with a thread for batches each, so that none of them waits for Python code of the other.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any, Final

import numpy as np

from bench.claims import Result, Say, at_least
from bench.serving.batching import batching_flags
from bench.serving.comparison import none_failed
from bench.serving.models import Served, lite0
from bench.serving.servers import Running, start_ours
from bench.serving.turns import BURST_S, CLIENTS, ROUNDS, WARM_UP_S, Bursts, figures
from roadworthy.serving.servables.open import open_servable

# Images a call and calls at a time: both keep as many images under way as there are clients.
_WAYS: Final = ((CLIENTS, 1), (CLIENTS // 2, 2))
IN_PROCESS: Final = "in process"


def run(say: Say) -> Result:
    """Rows and claims."""
    served = lite0(side=96)
    running = start_ours(served, flags=batching_flags(workers=2))
    with running.process:
        say(f"our server answers right after {running.wait(served):.1f} s")
        running.process.pause()
        servable = open_servable(served.version_dir)
        bursts, alone = in_turns_with(servable, served, running, say=say)
    rows = [figures(target, loads) for target, loads in bursts.items()]
    rows += [
        {"server": IN_PROCESS, "batch": batch, "callers": callers, "requests_per_s": median(rates)}
        for (batch, callers), rates in alone.items()
    ]
    return {
        "clients": CLIENTS,
        "rounds": ROUNDS,
        "rows": rows,
        "claims": [*claims(bursts, alone), none_failed(rows[:2])],
    }


def in_turns_with(
    servable: Any, served: Served, running: Running, *, say: Say
) -> tuple[Bursts, dict[tuple[int, int], list[float]]]:
    """Bursts over each transport, and of each way to call the model in process, in turns."""
    bursts: Bursts = {target: [] for target in running.targets}
    alone: dict[tuple[int, int], list[float]] = {way: [] for way in _WAYS}
    for number in range(ROUNDS):
        say(f"round {number + 1} of {ROUNDS}")
        for way in _WAYS:
            images_per_s(servable, served, *way, seconds=WARM_UP_S)
            alone[way].append(images_per_s(servable, served, *way, seconds=BURST_S))
        running.process.resume()
        for target in running.targets:
            target.load(clients=CLIENTS, seconds=WARM_UP_S)
            bursts[target].append(target.load(clients=CLIENTS, seconds=BURST_S))
        running.process.pause()
    return bursts, alone


def images_per_s(servable: Any, served: Served, batch: int, callers: int, *, seconds: float) -> float:
    """Calls in a row from some threads at once."""
    images = np.array([served.given] * batch, dtype=object)
    started = time.perf_counter()

    def call() -> int:
        answered = 0
        while time.perf_counter() - started < seconds:
            servable.predict(served.signature, {served.input: images})
            answered += batch
        return answered

    with ThreadPoolExecutor(callers) as pool:
        answered = sum(pool.map(lambda _: call(), range(callers)))
    return answered / (time.perf_counter() - started)


def claims(bursts: Bursts, alone: dict[tuple[int, int], list[float]]) -> list[Result]:
    """Each transport against the better way in process."""
    best = max(alone, key=lambda way: median(alone[way]))
    by = f"batches of {best[0]}, {best[1]} at a time"
    shares = {
        target.transport: median(load.requests_per_s / rate for load, rate in zip(loads, alone[best], strict=True))
        for target, loads in bursts.items()
    }
    return [
        at_least(f"images a second over {name}, of those in process", share, 0.9, by=by)
        for name, share in shares.items()
    ]
