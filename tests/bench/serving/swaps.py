"""Version swaps under a steady load: every answer whole, from a version that served at the time, and hardly later."""

import asyncio
import json
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import grpc

from bench.claims import ROOT, Result, Say, at_least, at_most
from bench.serving.comparison import OURS_BY_PROCESSES
from bench.serving.models import versions
from bench.serving.servers import Running, Target, start_ours
from bench.serving.steady import OK, Outcome, asking, p99_ms, send_steadily
from roadworthy.serving import protos
from roadworthy.serving.tensors import from_proto

SWAPS, ROUNDS = 200, 4
QUIET_S: Final = 8.0
PER_S: Final = 100.0
_BASE: Final = ROOT / "runs" / "bench-serving" / "swaps"
_ASIDE: Final = _BASE.with_name("swaps-aside")
_FLAGS: Final = ("--file_system_poll_wait_seconds=0.1",)
_LOOK_S: Final = 0.02
_SWAP_S: Final = 30.0
_AVAILABLE: Final = protos.VERSION_STATES["AVAILABLE"]


@dataclass
class History:
    """When each version was put in place, and when it was first seen to serve; `time.monotonic()`."""

    placed: dict[int, float] = field(default_factory=dict)
    served: dict[int, float] = field(default_factory=dict)

    def allows(self, version: int, outcome: Outcome) -> bool:
        """Whether a version may have given an answer: it was there by then, and no newer one served when it was due."""
        newest = max(number for number, when in self.served.items() if when <= outcome.due)
        return version >= newest and self.placed.get(version, float("inf")) <= outcome.answered


def run(say: Say) -> Result:
    """Rows and claims."""
    rows: list[Result] = []
    claims: list[Result] = []
    for server, flags in OURS_BY_PROCESSES.items():
        say(server)
        quiet, swapping, history = _measured(flags, say=say)
        rows += _rows(server, quiet, swapping)
        claims += _claims(server, quiet, swapping, history)
    return {"swaps": SWAPS, "per_s": 2 * PER_S, "rows": rows, "claims": claims}


def _measured(flags: Sequence[str], *, say: Say) -> tuple[list[Outcome], list[Outcome], History]:
    served, prepared = versions(SWAPS + 1)
    for folder in (_BASE, _ASIDE):
        shutil.rmtree(folder, ignore_errors=True)
    _BASE.mkdir(parents=True)
    shutil.copytree(prepared, _ASIDE)
    history = History()
    _place(1, history)
    served = served.at(_BASE)
    running = start_ours(served, flags=[*_FLAGS, *flags])
    with running.process:
        say(f"answers right after {running.wait(served):.1f} s")
        history.served[1] = time.monotonic()
        return *asyncio.run(in_rounds(running, history, say=say)), history


def _rows(server: str, quiet: list[Outcome], swapping: list[Outcome]) -> list[Result]:
    return [
        {
            "server": server,
            "load": load,
            "transport": transport,
            "requests": len(of),
            "p99_ms": p99_ms(of),
            "failures": failures(of),
        }
        for load, outcomes in (("quiet", quiet), ("swaps", swapping))
        for transport in ("REST", "gRPC")
        if (of := [outcome for outcome in outcomes if outcome.transport == transport])
    ]


def _claims(server: str, quiet: list[Outcome], swapping: list[Outcome], history: History) -> list[Result]:
    outcomes = quiet + swapping
    return [
        at_least("version swaps under load", len(history.served) - 1, SWAPS, by=server),
        at_most("requests that failed", sum(outcome.code != OK for outcome in outcomes), 0, by=server),
        at_most("answers of a wrong version", sum(is_wrong(one, history) for one in outcomes), 0, by=server),
        at_most("p99 during swaps, times the quiet p99", p99_ms(swapping) / p99_ms(quiet), 3, by=server),
    ]


async def in_rounds(running: Running, history: History, *, say: Say) -> tuple[list[Outcome], list[Outcome]]:
    """Quiet times and swaps in turns, under the same load over both transports; the outcomes of each."""
    quiet: list[Outcome] = []
    swapping: list[Outcome] = []
    for number in range(ROUNDS):
        say(f"round {number + 1} of {ROUNDS}")
        quiet += await under_load(running.targets, asyncio.sleep(QUIET_S))
        first = 2 + number * SWAPS // ROUNDS
        swapping += await under_load(running.targets, _swaps(running, history, first, SWAPS // ROUNDS))
    return quiet, swapping


async def under_load(targets: Sequence[Target], work: object) -> list[Outcome]:
    """Every target is asked at a steady rate while the work is done."""
    stop = asyncio.Event()
    async with asking(targets) as asks:
        loads = [
            asyncio.create_task(send_steadily(target, ask, per_s=PER_S, stop=stop))
            for target, ask in zip(targets, asks, strict=True)
        ]
        try:
            await work
        finally:
            stop.set()
        return [outcome for outcomes in await asyncio.gather(*loads) for outcome in outcomes]


def failures(outcomes: Sequence[Outcome]) -> str:
    """What failed and how often, for people."""
    failed = Counter(f"{one.code}: {one.answer[:120]!r}" for one in outcomes if one.code != OK)
    return ", ".join(f"{count} x {what}" for what, count in failed.most_common(3))


def is_wrong(outcome: Outcome, history: History) -> bool:
    """Whether an answer is of a version that can't have given it, or says another version than answered."""
    if outcome.code != OK:
        return False
    if outcome.transport == "REST":
        (row,) = json.loads(outcome.answer)["predictions"]
        return not history.allows(round(row["version"]), outcome)
    response = protos.PredictResponse.FromString(outcome.answer)
    version = round(float(from_proto(response.outputs["version"])[0]))
    return response.model_spec.version.value != version or not history.allows(version, outcome)


async def _swaps(running: Running, history: History, first: int, count: int) -> None:
    address = next(target for target in running.targets if target.transport == "gRPC").url.split("/")[2]
    async with grpc.aio.insecure_channel(address) as channel:
        for version in range(first, first + count):
            _place(version, history)
            async with asyncio.timeout(_SWAP_S):
                while not await _is_available(channel, version):
                    await asyncio.sleep(_LOOK_S)
            history.served[version] = time.monotonic()


async def _is_available(channel: grpc.aio.Channel, version: int) -> bool:
    request = protos.GetModelStatusRequest()
    request.model_spec.name = "versions"
    ask = channel.unary_unary(
        f"/{protos.MODEL_SERVICE}/GetModelStatus", response_deserializer=protos.GetModelStatusResponse.FromString
    )
    statuses = (await ask(request.SerializeToString())).model_version_status
    return any(status.version == version and status.state == _AVAILABLE for status in statuses)


def _place(version: int, history: History) -> None:
    """Puts a version in place as a pusher does, by a rename."""
    history.placed[version] = time.monotonic()
    (_ASIDE / str(version)).rename(_BASE / str(version))
