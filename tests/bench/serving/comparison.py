"""The same SavedModel behind our server and behind others."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from bench.claims import Result, Say, at_least, at_most
from bench.serving.models import Served
from bench.serving.peers import start_peers
from bench.serving.servers import OURS, Running, start_ours
from bench.serving.turns import BURST_S, CLIENTS, ROUNDS, Bursts, figures, in_turns, ratio

# The others, by their own documentation, are two processes or more.
OURS_BY_PROCESSES: Final = {OURS: ("--workers=2",), f"{OURS}, one process": ()}


def compare(served: Served, *, ours: Mapping[str, Sequence[str]], say: Say) -> Result:
    """Rows of figures, a server and transport each; no claims yet.

    Args:
        served: the model.
        ours: flags of our server by what it is called; claims are of the first, `OURS`.
        say: takes lines about the progress.
    """
    with all_running(served, ours=ours, say=say) as running:
        bursts = in_turns(running, say=say)
    return {"clients": CLIENTS, "rounds": ROUNDS, "burst_s": BURST_S, "rows": rows(bursts)}


@contextmanager
def all_running(served: Served, *, ours: Mapping[str, Sequence[str]], say: Say) -> Iterator[list[Running]]:
    """Every server, seen to give the right answer, and paused."""
    with ExitStack() as stack:
        running = [start_ours(served, flags=flags, name=name) for name, flags in ours.items()]
        running += start_peers(served, say=say)
        for one in running:
            stack.enter_context(one.process)
        for one in running:
            say(f"{one.targets[0].server} answers right after {one.wait(served):.1f} s")
            one.process.pause()
        yield running


def rows(bursts: Bursts) -> list[Result]:
    """Each one's figures, and how many times theirs our requests a second over the same transport are."""
    ours = {target.transport: loads for target, loads in bursts.items() if target.server == OURS}
    return [
        figures(target, loads) | {"ours_by_theirs": ratio(ours[target.transport], loads)}
        for target, loads in bursts.items()
    ]


def dense_claims(of: list[Result]) -> list[Result]:
    """What was promised of a small model."""
    rest, grpc = ([row for row in of if row["transport"] == transport] for transport in ("REST", "gRPC"))
    best_rest, best_grpc = _best_peer(rest), _best_peer(grpc)
    of_rest = _ours(grpc)["requests_per_s"] / best_rest["requests_per_s"]
    return [
        _times("REST", best_rest, 5),
        _times("gRPC", best_grpc, 2.5),
        at_least("requests a second over gRPC, times the best peer's over REST", of_rest, 1, by=best_rest["server"]),
        _quicker("REST", rest),
        _quicker("gRPC", grpc),
        none_failed([_ours(rest), _ours(grpc)]),
    ]


def image_claims(of: list[Result]) -> list[Result]:
    """Where the network is nearly all the work there is less to win."""
    ours = [row for row in of if row["server"] == OURS]
    best = {name: _best_peer([row for row in of if row["transport"] == name]) for name in ("REST", "gRPC")}
    return [*(_times(transport, row, 1) for transport, row in best.items()), none_failed(ours)]


def none_failed(of: list[Result]) -> Result:
    """Speed with errors is none."""
    return at_most("our requests without the right answer", sum(row["failed"] for row in of), 0)


def _times(transport: str, best: Result, least: float) -> Result:
    claim = f"requests a second over {transport}, times the best peer's"
    return at_least(claim, best["ours_by_theirs"], least, by=best["server"])


def _quicker(transport: str, of: list[Result]) -> Result:
    quickest = min(_peers(of), key=lambda row: row["p99_ms"])
    claim = f"p99 over {transport}, as a share of the quickest peer's"
    return at_most(claim, _ours(of)["p99_ms"] / quickest["p99_ms"], 1, by=quickest["server"])


def _best_peer(of: list[Result]) -> Result:
    return max(_peers(of), key=lambda row: row["requests_per_s"])


def _peers(of: list[Result]) -> list[Result]:
    return [row for row in of if not row["server"].startswith(OURS)]


def _ours(of: list[Result]) -> Result:
    return next(row for row in of if row["server"] == OURS)
