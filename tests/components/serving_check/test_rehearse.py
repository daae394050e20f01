"""The real server, in its own process, on tiny models."""

import pytest

from contracts.digits import write_litert
from roadworthy.components.serving_check.rehearsal import Asked, Rehearsal
from roadworthy.components.serving_check.rehearse import faults_of, rehearse
from roadworthy.components.serving_check.settings import RehearsalSettings
from roadworthy.components.serving_check.warm_up import write_warm_up
from roadworthy.serving.server.warm_up import WARM_UP_PATH

ASKED = Asked(requests=9, p50_ms=1, p95_ms=2, max_difference=0)
FINE = Rehearsal(start_s=1, peak_memory_bytes=100_000_000, transports={"grpc": ASKED, "rest": ASKED})


def test_a_model_that_answers_as_its_file_does_passes(version_dir, examples):
    found = rehearse(version_dir, name="digits", examples=examples, settings=RehearsalSettings())
    assert found.faults == ()
    assert found.passed
    assert {transport: asked.requests for transport, asked in found.transports.items()} == {"grpc": 12, "rest": 12}
    assert all(0 < asked.p50_ms <= asked.p95_ms for asked in found.transports.values())
    assert found.start_s > 0
    assert found.peak_memory_bytes > 10_000_000


def test_a_model_the_server_can_not_load_is_told_in_the_servers_words(tmp_path, examples):
    version_dir = write_litert(tmp_path / "digits" / "1")
    write_warm_up(version_dir, "digits", [examples[0]])
    (version_dir / WARM_UP_PATH).write_bytes(b"no records")
    found = rehearse(version_dir, name="digits", examples=examples, settings=RehearsalSettings())
    (fault,) = found.faults
    assert "must answer" in fault
    assert "must be a TFRecord" in fault


def test_a_server_that_is_too_slow_to_start_is_a_fault(tmp_path, examples):
    version_dir = write_litert(tmp_path / "digits" / "1")
    found = rehearse(version_dir, name="digits", examples=examples, settings=RehearsalSettings(max_start="1 ms"))
    assert not found.passed
    assert "within 1 ms" in found.faults[0]


def test_what_is_within_every_bound_has_no_fault():
    assert list(faults_of(FINE, RehearsalSettings())) == []


@pytest.mark.parametrize(
    ("settings", "asked", "fault"),
    [
        ({"max_start": "900 ms"}, ASKED, "The first answer must come within 900 ms. Received: after 1.0 s."),
        ({"max_memory": "99 MB"}, ASKED, "peak memory must be at most 99 MB. Received: 100 MB."),
        ({"max_latency_p95": "1 ms"}, ASKED, "grpc: p95 must be at most 1 ms. Received: 2.0 ms."),
        ({}, ASKED.model_copy(update={"max_difference": 0.01}), "scores must be within 0.0001 of the offline ones."),
        ({}, ASKED.model_copy(update={"max_difference": float("nan")}), "Received: nan apart."),
    ],
)
def test_what_is_beyond_a_bound_is_named(settings, asked, fault):
    found = FINE.model_copy(update={"transports": {"grpc": asked}})
    (told,) = faults_of(found, RehearsalSettings(**settings))
    assert fault in told
