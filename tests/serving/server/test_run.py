"""The server as a whole, over real ports, while its models change and when it is told to stop."""

import base64
import gc
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from contracts.waiting import wait_for
from roadworthy.serving.client import Client
from roadworthy.serving.errors import ServeError
from roadworthy.serving.repository import publish
from roadworthy.serving.server.listening import Listening
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.run import ModelServer, run_server

# Prints the two ports as one JSON line once it is ready.
SERVE = """
import json, pathlib, sys
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.listening import Listening
from roadworthy.serving.server.run import run_server
run_server(Manager.of_root(pathlib.Path(sys.argv[1])), Listening(grpc_port=0, rest_port=0),
           on_ready=lambda grpc, rest: print(json.dumps([grpc, rest]), flush=True))
print("stopped", flush=True)
"""


class Hammer(threading.Thread):
    """Asks one model without a pause and keeps every answer and every failure."""

    def __init__(self, address, transport, image):
        super().__init__()
        self.address, self.transport, self.image = address, transport, image
        self.scores, self.failures, self.done = [], [], threading.Event()

    def run(self):
        with Client.open(self.address, transport=self.transport) as client:
            while not self.done.is_set():
                try:
                    self.scores.append(client.classify_images("fashion", [self.image])[0].scores[0])
                except Exception as error:
                    self.failures.append(error)


def test_a_swap_under_load_fails_no_request(model_root, serve, exported, png):
    server = serve(model_root)
    hammers = [
        Hammer(f"127.0.0.1:{port}", transport, png)
        for transport, port in (("grpc", server.grpc_port), ("rest", server.rest_port))
        for _ in range(2)
    ]
    for hammer in hammers:
        hammer.start()
    wait_for(lambda: all(len(hammer.scores) > 3 for hammer in hammers))
    publish(exported["second"], model_root=model_root, name="fashion")
    wait_for(lambda: all(abs(hammer.scores[-1] - hammer.scores[0]) > 1e-3 for hammer in hammers))
    for hammer in hammers:
        hammer.done.set()
        hammer.join()
    assert [failure for hammer in hammers for failure in hammer.failures] == []


def test_a_published_version_that_is_damaged_afterwards_leaves_the_old_one_serving(model_root, serve, exported, png):
    server = serve(model_root)
    with Client.open(f"127.0.0.1:{server.grpc_port}") as client:
        before = client.classify_images("fashion", [png])[0]
        damaged = model_root / "fashion" / ".damaged"
        shutil.copytree(exported["second"], damaged)
        (damaged / "saved_model.pb").write_bytes(b"damaged")
        damaged.rename(model_root / "fashion" / "2")
        wait_for(lambda: len(server.manager.statuses("fashion")) == 2 and server.manager.statuses("fashion")[0][2])
        after = client.classify_images("fashion", [png])[0]
    assert after.score == before.score


@pytest.mark.parametrize("option", ["grpc_port", "rest_port"])
def test_a_port_in_use_is_refused_before_it_is_ready(model_root, option):
    said = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"grpc_port": 0, "rest_port": 0, option: taken.getsockname()[1]}
        with pytest.raises(ServeError, match=f"--{option.replace('_', '-')}"):
            run_server(Manager.of_root(model_root), Listening(**ports), on_ready=lambda *given: said.append(given))
    assert said == []


def test_a_second_server_cannot_share_the_ports_of_the_first(server, model_root):
    for ports in ({"grpc_port": server.grpc_port}, {"rest_port": server.rest_port}):
        with pytest.raises(ServeError, match="is in use"):
            ModelServer(Manager.of_root(model_root), Listening(**{"grpc_port": 0, "rest_port": 0, **ports}))


def test_a_host_beyond_loopback_is_refused(model_root):
    with pytest.raises(ServeError, match="--insecure"):
        run_server(Manager.of_root(model_root), Listening(host="0.0.0.0"))  # noqa: S104 refused here


def test_once_it_answers_what_was_loaded_is_no_garbage_to_look_through(model_root):
    spared = []

    def ready(_grpc, _rest):
        spared.append(gc.get_freeze_count())
        signal.raise_signal(signal.SIGTERM)

    gc.disable()
    try:
        run_server(Manager.of_root(model_root), Listening(grpc_port=0, rest_port=0), on_ready=ready)
        assert gc.isenabled()
        assert spared[0] > 10_000
    finally:
        gc.enable()
        gc.unfreeze()


@pytest.fixture
def process(tmp_path, exported):
    """A server of its own process, which serves a LiteRT model; with its ports."""
    shutil.copytree(exported["litert"], tmp_path / "fashion" / "1")
    command = [sys.executable, "-c", SERVE, str(tmp_path)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield running, *json.loads(running.stdout.readline())
    running.kill()
    running.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(process, png, number):
    running, grpc_port, _ = process
    with Client.open(f"127.0.0.1:{grpc_port}") as client:
        assert len(client.classify_images("fashion", [png])) == 1
    running.send_signal(number)
    output, errors = running.communicate(timeout=20)
    assert (running.returncode, output.strip()) == (0, "stopped")
    assert "Traceback" not in errors


def test_a_request_that_is_under_way_at_sigterm_is_answered(process, png):
    running, _, rest_port = process
    body = json.dumps(
        {"signature_name": "image_bytes", "instances": [{"b64": base64.b64encode(png).decode()}]}
    ).encode()
    head = f"POST /v1/models/fashion:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", rest_port), timeout=20) as connection:
        connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        # The server says this once the request is in the hands of the application.
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        running.send_signal(signal.SIGTERM)
        wait_for(lambda: refuses(rest_port))
        connection.sendall(body)
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"predictions"' in answer
    assert running.wait(timeout=20) == 0


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_litert_server_never_imports_tensorflow(process):
    running, *_ = process
    libraries = Path(f"/proc/{running.pid}/maps").read_text()
    assert "libtensorflow" not in libraries
