"""Told to stop: health first, then a while as before, then the requests under way, then the end."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from contracts import ports

BODY = json.dumps({"signature_name": "image_bytes", "instances": [{"b64": "x"}]}).encode()


@pytest.fixture
def process(tmp_path, exported, free_port):
    """Starts a server of its own process with flags, which serves a LiteRT model; gives it and its ports."""
    shutil.copytree(exported["litert"], tmp_path / "fashion" / "1")
    running = []

    def started(*flags):
        command = [sys.executable, "-m", "roadworthy.serving.server.main", "--port=0", f"--rest_api_port={free_port}"]
        one = subprocess.Popen(
            [*command, f"--model_base_path={tmp_path / 'fashion'}", "--enable_grpc_healthcheck_service", *flags],
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(one)
        for line in one.stderr:
            if said := re.match(r"Serving: gRPC (\d+), REST (\d+)", line):
                return one, said[1], int(said[2])
        raise AssertionError("it ended before it served")

    yield started
    for one in running:
        one.kill()
        one.communicate()


@pytest.fixture
def free_port():
    return ports.free_port()


def get(port, path):
    return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False, timeout=10).status_code


def health(port):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        return health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10).status


def under_way(port):
    """A request whose head the application has, and whose body it waits for."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    head = f"POST /v1/models/default:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n"
    connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
    assert connection.recv(1000).startswith(b"HTTP/1.1 100")
    return connection


def test_health_turns_first_while_requests_are_answered_on(process):
    running, grpc_port, rest_port = process("--drain_delay_seconds=2")
    assert (get(rest_port, "/readyz"), health(grpc_port)) == (200, health_pb2.HealthCheckResponse.SERVING)
    running.send_signal(signal.SIGTERM)
    time.sleep(0.3)

    assert (get(rest_port, "/readyz"), health(grpc_port)) == (503, health_pb2.HealthCheckResponse.NOT_SERVING)
    assert (get(rest_port, "/livez"), get(rest_port, "/v1/models/default")) == (200, 200)
    assert running.wait(timeout=20) == 0


def test_a_request_under_way_is_answered_after_the_delay_too(process):
    running, _, rest_port = process("--drain_delay_seconds=0.2")
    with under_way(rest_port) as connection:
        running.send_signal(signal.SIGTERM)
        time.sleep(1)
        with pytest.raises(httpx.ConnectError):
            get(rest_port, "/livez")
        connection.sendall(BODY)
        # Not an image, but an answer.
        assert connection.makefile("rb").read().startswith(b"HTTP/1.1 400")
    assert running.wait(timeout=20) == 0


def test_a_request_that_never_ends_is_waited_for_so_long_and_no_longer(process):
    running, _, rest_port = process("--drain_timeout_seconds=0.5")
    with under_way(rest_port):
        started = time.monotonic()
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=20) == 0
    assert time.monotonic() - started < 10


def test_a_second_signal_ends_it_at_once(process):
    running, _, rest_port = process("--drain_delay_seconds=60")
    with under_way(rest_port):
        running.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=5) == 128 + signal.SIGINT
    assert "A second signal" in running.stderr.read()
