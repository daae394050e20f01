"""The same SavedModel behind our server and behind others, in turns, so that all of them share the machine's moods."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Final

from bench import claims
from bench.claims import Result, Say
from bench.serving.load import Load
from bench.serving.models import Served
from bench.serving.peers import start_peers
from bench.serving.servers import OURS, Running, Target, start_ours

CLIENTS: Final = 16
WARM_UP_S, BURST_S = 1, 4
ROUNDS: Final = 3

Bursts = dict[Target, list[Load]]


def compare(served: Served, *, flags: tuple[str, ...] = (), say: Say) -> Result:
    """Rows of figures, a server and transport each; no claims."""
    with all_running(served, flags=flags, say=say) as running:
        bursts = in_turns(running, say=say)
    return {"clients": CLIENTS, "rounds": ROUNDS, "burst_s": BURST_S, "rows": rows(bursts), "claims": []}


@contextmanager
def all_running(served: Served, *, flags: tuple[str, ...], say: Say) -> Iterator[list[Running]]:
    """Every server, seen to give the right answer, and paused."""
    with ExitStack() as stack:
        running = [start_ours(served, flags=flags)]
        stack.enter_context(running[0].process)
        for peer in start_peers(served, say=say):
            stack.enter_context(peer.process)
            running.append(peer)
        for one in running:
            say(f"{one.targets[0].server} answers right after {one.wait(served):.1f} s")
            one.process.pause()
        yield running


def in_turns(running: list[Running], *, say: Say) -> Bursts:
    """Rounds in which every target gets a burst while all other servers stand still."""
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


def rows(bursts: Bursts) -> list[Result]:
    """Medians, and how many times our requests a second over the same transport are theirs, median of the rounds."""
    ours = {target.transport: loads for target, loads in bursts.items() if target.server == OURS}
    return [
        {
            "server": target.server,
            "transport": target.transport,
            **{key: median(load.row()[key] for load in loads) for key in loads[0].row()},
            "ours_by_theirs": median(
                mine.requests_per_s / load.requests_per_s
                for mine, load in zip(ours[target.transport], loads, strict=True)
            ),
            "failed": sum(load.failed for load in loads),
        }
        for target, loads in bursts.items()
    ]


def dense_claims(of: list[Result]) -> list[Result]:
    """What was promised of a small model."""
    rest, grpc = ({row["server"]: row for row in of if row["transport"] == transport} for transport in ("REST", "gRPC"))
    best_rest = _best(rest)
    best_grpc = _best(grpc)
    return [
        claims.at_least(
            "5x the best peer's requests a second over REST", best_rest["ours_by_theirs"], 5, by=best_rest["server"]
        ),
        claims.at_least(
            "2.5x the best peer's requests a second over gRPC", best_grpc["ours_by_theirs"], 2.5, by=best_grpc["server"]
        ),
        claims.at_least(
            "gRPC carries no fewer requests than the best peer's REST",
            grpc[OURS]["requests_per_s"] / best_rest["requests_per_s"],
            1,
        ),
        *(
            claims.at_most(
                f"p99 over {name} below every peer's, ms",
                table[OURS]["p99_ms"],
                min(row["p99_ms"] for server, row in table.items() if server != OURS),
            )
            for name, table in (("REST", rest), ("gRPC", grpc))
        ),
        claims.at_most("requests without the right answer", sum(row["failed"] for row in of), 0),
    ]


def _best(of: dict[str, Result]) -> Result:
    return max((row for server, row in of.items() if server != OURS), key=lambda row: row["requests_per_s"])
