"""Starts the real server on a model, asks it real examples, and holds the answers to the offline ones."""

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from roadworthy.components.gate.limits import parse_latency, parse_size
from roadworthy.components.serving_check.rehearsal import Asked, Rehearsal
from roadworthy.components.serving_check.server_process import ServerProcess, server_process
from roadworthy.components.serving_check.settings import RehearsalSettings
from roadworthy.serving.client import AskError, Client
from roadworthy.serving.contract import EXAMPLES_INPUT, EXAMPLES_SIGNATURE, SCORES
from roadworthy.serving.servables.open import open_servable

# Between two looks whether the server listens yet.
_LOOK_S: Final = 0.02
_REQUEST_S: Final = 30.0
_MS: Final = 1e3


class _Fault(Exception):
    """The rehearsal can't go on; its text is what is told."""


def rehearse(version_dir: Path, *, name: str, examples: Sequence[bytes], settings: RehearsalSettings) -> Rehearsal:
    """Asks a model in a server's process over gRPC and REST, one example at a time.

    Args:
        version_dir: the model's only version folder, below the folder a server is given.
        name: what clients will call the model.
        examples: serialized tf.Examples, at least one.
        settings: what must hold.

    Returns:
        What was found; every fault is among it and none is raised.
    """
    expected = offline_scores(version_dir, examples)
    found = Rehearsal()
    with server_process(version_dir.parent, name=name) as server:
        try:
            start_s = _first_answer_s(server, name, examples[0], settings)
            transports = {
                transport: _ask(address, transport, name, examples, expected)
                for transport, address in server.addresses.items()
            }
            found = Rehearsal(start_s=start_s, peak_memory_bytes=server.peak_memory_bytes(), transports=transports)
            faults = list(faults_of(found, settings))
        except _Fault as fault:
            faults = [f"{fault} The server said: {server.said() or 'nothing'}"]
        else:
            faults += filter(None, [server.stop()])
    return found.model_copy(update={"faults": tuple(faults)})


def offline_scores(version_dir: Path, examples: Sequence[bytes]) -> npt.NDArray[np.float32]:
    """What the exported file answers in this process, float32[examples, classes]."""
    servable = open_servable(version_dir)
    try:
        answers = [
            servable.predict(EXAMPLES_SIGNATURE, {EXAMPLES_INPUT: np.array([example], dtype=object)}, [SCORES])[SCORES]
            for example in examples
        ]
    finally:
        servable.close()
    scores: npt.NDArray[np.float32] = np.concatenate(answers)
    return scores


def faults_of(found: Rehearsal, settings: RehearsalSettings) -> Iterator[str]:
    """What of a rehearsal is not as it must be."""
    if found.start_s is not None and found.start_s * _MS > parse_latency(settings.max_start).value:
        yield f"The first answer must come within {settings.max_start}. Received: after {found.start_s:.1f} s."
    if found.peak_memory_bytes is not None and found.peak_memory_bytes > parse_size(settings.max_memory).value:
        yield (
            f"The server's peak memory must be at most {settings.max_memory}. "
            f"Received: {found.peak_memory_bytes / 1e6:,.0f} MB."
        )
    for transport, asked in found.transports.items():
        if asked.p95_ms > parse_latency(settings.max_latency_p95).value:
            yield f"{transport}: p95 must be at most {settings.max_latency_p95}. Received: {asked.p95_ms:.1f} ms."
        # Written so that NaN is a fault.
        if not asked.max_difference <= settings.tolerance:
            yield (
                f"{transport}: scores must be within {settings.tolerance:g} of the offline ones. "
                f"Received: {asked.max_difference:.2g} apart."
            )


def _first_answer_s(server: ServerProcess, name: str, example: bytes, settings: RehearsalSettings) -> float:
    """Seconds from the start of the process to its first answer, which may be a refusal to give one."""
    deadline = server.started + parse_latency(settings.max_start).value / _MS
    _wait_until_it_listens(server, deadline, settings)
    with Client.open(server.addresses["rest"], transport="rest") as client:
        try:
            _scores(client, name, example, timeout_s=max(_LOOK_S, deadline - time.monotonic()))
        except AskError as error:
            raise _Fault(f"The server must answer within {settings.max_start}. Received: {error}") from error
    return time.monotonic() - server.started


def _wait_until_it_listens(server: ServerProcess, deadline: float, settings: RehearsalSettings) -> None:
    host, _, port = server.addresses["rest"].rpartition(":")
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=_REQUEST_S).close()
            return
        except OSError:
            if server.has_ended():
                raise _Fault(f"The server must start. Received: exit code {server.process.returncode}.") from None
            if time.monotonic() > deadline:
                raise _Fault(f"The server must listen within {settings.max_start}. Received: it did not.") from None
        time.sleep(_LOOK_S)


def _ask(
    address: str, transport: str, name: str, examples: Sequence[bytes], expected: npt.NDArray[np.float32]
) -> Asked:
    seconds, differences = [], []
    with Client.open(address, transport=transport) as client:
        try:
            _scores(client, name, examples[0], timeout_s=_REQUEST_S)  # opens the connection, which is not timed
            for example, wanted in zip(examples, expected, strict=True):
                started = time.perf_counter()
                scores = _scores(client, name, example, timeout_s=_REQUEST_S)
                seconds.append(time.perf_counter() - started)
                differences.append(_difference(scores, wanted))
        except AskError as error:
            raise _Fault(f"{transport}: every example must be answered. Received: {error}") from error
    p50_ms, p95_ms = (float(value) for value in np.percentile(np.array(seconds) * _MS, [50, 95]))
    return Asked(requests=len(seconds), p50_ms=p50_ms, p95_ms=p95_ms, max_difference=float(np.max(differences)))


def _difference(scores: npt.NDArray[np.float32], wanted: npt.NDArray[np.float32]) -> float:
    """Largest difference; infinite where the shapes differ."""
    return float(np.abs(scores - wanted).max()) if scores.shape == wanted.shape else float("inf")


def _scores(client: Client, name: str, example: bytes, *, timeout_s: float) -> npt.NDArray[np.float32]:
    answer: Mapping[str, np.ndarray] = client.predict(
        name, {EXAMPLES_INPUT: [example]}, signature=EXAMPLES_SIGNATURE, timeout_s=timeout_s
    )
    if SCORES not in answer:
        raise _Fault(f"The answer must have {SCORES}. Received: {sorted(answer)}.")
    (scores,) = answer[SCORES]
    return np.asarray(scores)
