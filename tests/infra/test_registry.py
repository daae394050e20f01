"""Which provider infra-check takes, by stand-ins of the registry: one that answers, refuses, hangs, or is not there."""

import contextlib
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from contracts.ports import free_port

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "infra" / "check"))

from terraform_check.registry import choose


@contextlib.contextmanager
def registry(status):
    """A server that gives every request a status; yields its address and the paths it was asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/.well-known/terraform.json", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_a_registry_that_answers_gives_the_real_provider():
    with registry(200) as (address, asked):
        assert choose("", address=address) == (True, "the registry answers")
    assert asked == ["/.well-known/terraform.json"]


def test_a_registry_that_refuses_does_not():
    with registry(503) as (address, _):
        assert choose("", address=address) == (
            False,
            "the registry does not answer: HTTP Error 503: Service Unavailable",
        )


def test_one_that_is_not_there_is_told_at_once():
    started = time.monotonic()
    real, why = choose("", address=f"http://127.0.0.1:{free_port()}/")

    assert (real, "Connection refused" in why) == (False, True)
    assert time.monotonic() - started < 1


def test_one_that_hangs_is_waited_for_three_seconds():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        choice = choose("", address=f"http://127.0.0.1:{silent.getsockname()[1]}/")

    assert choice == (False, "the registry does not answer: nothing came for 3 s")
    assert 2.9 < time.monotonic() - started < 4


@pytest.mark.parametrize(("asked", "real"), [("local", False), ("registry", True)])
def test_the_environment_decides_before_the_network(asked, real):
    with registry(200) as (address, requests):
        assert choose(asked, address=address) == (real, f"ROADWORTHY_PROVIDER={asked}")
    assert requests == []


def test_another_word_is_refused(storage_module, check_terraform):
    said, code = check_terraform(storage_module, provider="remote")

    assert (code, said.strip().splitlines()[-1]) == (
        2,
        "terraform_check: ROADWORTHY_PROVIDER must be local or registry, or not be set. Received: remote.",
    )
