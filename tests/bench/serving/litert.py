"""An int8 LiteRT model behind the same API: throughput, cold start and memory, beside its SavedModel."""

from contextlib import ExitStack
from statistics import median
from typing import Final

from bench.claims import Result, Say, at_least, at_most
from bench.serving.batching import batching_flags
from bench.serving.comparison import none_failed
from bench.serving.models import Served, lite0, lite0_int8
from bench.serving.servers import Running, start_ours
from bench.serving.turns import CLIENTS, ROUNDS, Bursts, figures, in_turns, ratio

SIDES: Final = {96: 2.5, 224: 3.0}
COLD_STARTS: Final = 5
SAVED_MODEL, BATCHED, INT8 = "SavedModel", "SavedModel, batched", "int8 LiteRT"
ONE_THREAD: Final = "SavedModel, a thread an operation"
_LOOK_S: Final = 0.005
_MEGABYTE: Final = 1e6


def run(say: Say) -> Result:
    """Rows and claims."""
    rows, claims = [], []
    for side, least in SIDES.items():
        bursts, resident = measured(side, say=say)
        rows += [
            {"side": side, **figures(target, loads), "resident_mb": resident[target.server]}
            for target, loads in bursts.items()
        ]
        claims += throughput_claims(side, least, bursts)
    starts = {served.name: cold_starts(served, say=say) for served in (lite0_int8(side=96), lite0(side=96))}
    rows += [{"model": name, "cold_start_s": median(seconds)} for name, seconds in starts.items()]
    int8 = next(row for row in rows if row.get("server") == INT8)
    claims += [
        at_most("seconds from exec to the first answer", median(starts[lite0_int8(side=96).name]), 1.0, by=INT8),
        at_most("MB resident after the load", int8["resident_mb"], 120, by=INT8),
        none_failed([row for row in rows if "failed" in row]),
    ]
    return {"clients": CLIENTS, "rounds": ROUNDS, "rows": rows, "claims": claims}


def measured(side: int, *, say: Say) -> tuple[Bursts, dict[str, float]]:
    """Bursts of each server, and the MB each holds after them."""
    with ExitStack() as stack:
        running: dict[str, Running] = {}
        for name, served, flags in (
            (SAVED_MODEL, lite0(side=side), ()),
            (BATCHED, lite0(side=side), batching_flags()),
            (ONE_THREAD, lite0(side=side), ("--tensorflow_intra_op_parallelism=1",)),
            (INT8, lite0_int8(side=side), ()),
        ):
            running[name] = start_ours(served, flags=flags, name=name)
            stack.enter_context(running[name].process)
            say(f"{name} at {side} px answers right after {running[name].wait(served):.1f} s")
            running[name].process.pause()
        bursts = in_turns(list(running.values()), say=say)
        return bursts, {name: one.process.resident_bytes() / _MEGABYTE for name, one in running.items()}


def throughput_claims(side: int, least: float, bursts: Bursts) -> list[Result]:
    """Over each transport, against the SavedModel with whichever setting serves it better."""
    claims = []
    for transport in ("REST", "gRPC"):
        of = {target.server: loads for target, loads in bursts.items() if target.transport == transport}
        times, by = min((ratio(of[INT8], of[name]), name) for name in (SAVED_MODEL, BATCHED, ONE_THREAD))
        claims.append(at_least(f"int8 at {side} px over {transport}, times the SavedModel", times, least, by=by))
    return claims


def cold_starts(served: Served, *, say: Say) -> list[float]:
    """Seconds from starting the process to its first right answer, over REST."""
    seconds = []
    for _ in range(COLD_STARTS):
        running = start_ours(served)
        with running.process:
            rest = running.targets[0]
            seconds.append(running.process.wait_until(lambda: rest.is_right(served), look_s=_LOOK_S))  # noqa: B023
    say(f"{served.name}: cold starts {', '.join(f'{one:.2f}' for one in seconds)} s")
    return seconds
