"""Bursts in turns: whatever is compared shares the machine's moods, and stands still while the others are measured."""

from collections.abc import Sequence
from statistics import median
from typing import Final

from bench.claims import Result, Say
from bench.serving.load import Load
from bench.serving.servers import Running, Target

CLIENTS: Final = 16
WARM_UP_S, BURST_S = 1, 4
ROUNDS: Final = 3

Bursts = dict[Target, list[Load]]


def in_turns(running: Sequence[Running], *, say: Say) -> Bursts:
    """Rounds in which every target gets a burst; the servers come paused and stay so."""
    bursts: Bursts = {target: [] for one in running for target in one.targets}
    for number in range(ROUNDS):
        say(f"round {number + 1} of {ROUNDS}")
        for one in running:
            one.process.resume()
            for target in one.targets:
                target.load(clients=CLIENTS, seconds=WARM_UP_S)
                bursts[target].append(target.load(clients=CLIENTS, seconds=BURST_S))
            one.process.pause()
    return bursts


def figures(target: Target, loads: Sequence[Load]) -> Result:
    """A target's medians."""
    return {
        "server": target.server,
        "transport": target.transport,
        **{key: median(load.row()[key] for load in loads) for key in loads[0].row()},
        "failed": sum(load.failed for load in loads),
    }


def ratio(numerator: Sequence[Load], denominator: Sequence[Load]) -> float:
    """How many times the requests a second: median of what each round gave."""
    return median(one.requests_per_s / other.requests_per_s for one, other in zip(numerator, denominator, strict=True))
