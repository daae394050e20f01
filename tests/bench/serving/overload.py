"""Five times the load that the server can carry: memory stays flat, and what is accepted is still answered in time."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.claims import Result, Say, at_most
from bench.serving.batching import batching_flags
from bench.serving.models import lite0
from bench.serving.process import Process
from bench.serving.servers import Running, Target, start_ours
from bench.serving.steady import OK, asking, send_steadily
from bench.serving.turns import BURST_S, CLIENTS
from roadworthy.serving.server.work import MAX_REQUESTS

TIMES: Final = 5
SECONDS: Final = 15
# At first the client opens hundreds of connections, on the server's own cores; requests of that time count apart.
ONSET_S: Final = 2
# Refused for being one too many, or because the batches' queue is full.
REFUSALS: Final = {"REST": {"429", "503"}, "gRPC": {"RESOURCE_EXHAUSTED", "UNAVAILABLE"}}
_WEIGH_S: Final = 0.1
_MEGABYTE: Final = 1e6


@dataclass(frozen=True)
class Overload:
    """What became of too many requests.

    Attributes:
        seconds: how long they came.
        codes: how many had each code.
        onset_ms: milliseconds of each that was answered, of those due in the first seconds.
        accepted_ms: the same of all later ones.
        resident: MB the server held, sampled.
    """

    seconds: float
    codes: Counter[str]
    onset_ms: np.ndarray
    accepted_ms: np.ndarray
    resident: list[float]


def run(say: Say) -> Result:
    """Rows and claims."""
    served = lite0(side=96)
    running = start_ours(served, flags=batching_flags())
    rows, claims = [], []
    with running.process:
        say(f"our server answers right after {running.wait(served):.1f} s")
        for target, carried, overload in measured(running, say=say):
            rows.append(row(target, carried, overload))
            claims += overload_claims(target, overload)
    return {"times": TIMES, "seconds": SECONDS, "rows": rows, "claims": claims}


def measured(running: Running, *, say: Say) -> list[tuple[Target, float, Overload]]:
    """Each transport: the requests a second it carries, then what becomes of five times as many."""
    results = []
    for target in running.targets:
        carried = target.load(clients=CLIENTS, seconds=BURST_S).requests_per_s
        say(f"{target.transport} carries {carried:.0f} requests a second; sending {TIMES * carried:.0f}")
        results.append((target, carried, _overload(target, TIMES * carried, running.process)))
    return results


def row(target: Target, carried: float, overload: Overload) -> Result:
    """Figures by name."""
    first, last = _halves(overload.resident)
    return {
        "transport": target.transport,
        "carried_per_s": carried,
        "accepted_per_s": overload.codes[OK] / overload.seconds,
        "accepted_p99_ms": float(np.percentile(overload.accepted_ms, 99)),
        "onset_p99_ms": float(np.percentile(overload.onset_ms, 99)),
        "resident_mb": {"first_half": first, "second_half": last},
        "codes": ", ".join(f"{code} {count}" for code, count in overload.codes.most_common()),
    }


def overload_claims(target: Target, overload: Overload) -> list[Result]:
    """What was promised, of one transport."""
    first, last = _halves(overload.resident)
    other = sum(count for code, count in overload.codes.items() if code not in REFUSALS[target.transport] | {OK})
    full_queue_ms = 1e3 * MAX_REQUESTS * overload.seconds / max(overload.codes[OK], 1)
    p99_ms = float(np.percentile(overload.accepted_ms, 99))
    name = target.transport
    return [
        at_most(f"{name}: accepted p99, as a share of the time that a full queue takes", p99_ms / full_queue_ms, 1.25),
        at_most(f"{name}: most memory in the second half, of the most in the first", last / first, 1.05),
        at_most(f"{name}: requests that ended otherwise than answered or refused", other, 0),
    ]


def _overload(target: Target, per_s: float, process: Process) -> Overload:
    async def send() -> Sequence:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(SECONDS, stop.set)
        async with asking([target]) as (ask,):
            return await send_steadily(target, ask, per_s=per_s, stop=stop)

    with _weighed(process) as resident:
        outcomes = asyncio.run(send())
    accepted = np.array([(outcome.due, outcome.seconds * 1e3) for outcome in outcomes if outcome.code == OK])
    is_onset = accepted[:, 0] < min(outcome.due for outcome in outcomes) + ONSET_S
    codes = Counter(outcome.code for outcome in outcomes)
    return Overload(SECONDS, codes, accepted[is_onset, 1], accepted[~is_onset, 1], resident)


@contextmanager
def _weighed(process: Process) -> Iterator[list[float]]:
    """Samples of the MB that a process holds meanwhile."""
    samples: list[float] = []
    done = threading.Event()

    def weigh() -> None:
        while not done.wait(_WEIGH_S):
            samples.append(process.resident_bytes() / _MEGABYTE)

    thread = threading.Thread(target=weigh)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()


def _halves(samples: list[float]) -> tuple[float, float]:
    middle = len(samples) // 2
    return max(samples[:middle]), max(samples[middle:])
