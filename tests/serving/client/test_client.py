import http.server
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

from contracts import ports
from roadworthy.serving.client import Client
from roadworthy.serving.errors import AskError

TRANSPORTS = ["grpc", "rest"]


@pytest.fixture
def free_port():
    return ports.free_port()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_server_that_is_not_there_is_unavailable_with_a_hint(free_port, transport):
    with (
        Client.open(f"127.0.0.1:{free_port}", transport=transport, timeout_s=5) as client,
        pytest.raises(AskError, match=f"127.0.0.1:{free_port} can't answer.*roadworthy serve MODEL_ROOT") as refused,
    ):
        client.classify_images("fashion", [b"x"])
    assert refused.value.code == "UNAVAILABLE"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_server_that_says_nothing_is_out_of_time(transport):
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        Client.open(f"127.0.0.1:{silent.getsockname()[1]}", transport=transport, timeout_s=0.2) as client,
        pytest.raises(AskError) as refused,
    ):
        client.classify_images("fashion", [b"x"])
    assert refused.value.code in ("DEADLINE_EXCEEDED", "UNAVAILABLE")


def test_the_wrong_port_for_a_transport_is_an_ask_error(server, png):
    with (
        Client.open(f"127.0.0.1:{server.rest_port}", transport="grpc", timeout_s=5) as client,
        pytest.raises(AskError, match="8500 for grpc, 8501 for rest"),
    ):
        client.classify_images("fashion", [png])
    with (
        Client.open(f"127.0.0.1:{server.grpc_port}", transport="rest", timeout_s=5) as client,
        pytest.raises(AskError),
    ):
        client.classify_images("fashion", [png])


class _Page(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_):
        pass


def test_another_http_server_is_an_ask_error():
    with http.server.HTTPServer(("127.0.0.1", 0), _Page) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        with (
            Client.open(f"127.0.0.1:{web.server_port}", transport="rest", timeout_s=5) as client,
            pytest.raises(AskError, match="fashion"),
        ):
            client.classify_images("fashion", [b"x"])
        web.shutdown()


@pytest.mark.parametrize("address", ["localhost", ":8500", "localhost:", "localhost:http", "http://localhost:8501", ""])
def test_what_is_no_host_and_port_is_refused(address):
    with pytest.raises(AskError, match="must be HOST:PORT"):
        Client.open(address)


def test_an_unknown_transport_is_refused():
    with pytest.raises(AskError, match=r"must be one of grpc, rest. Received: carrier pigeon"):
        Client.open("localhost:8500", transport="carrier pigeon")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_round_trip_imports_no_tensorflow(server, png, tmp_path, transport):
    (tmp_path / "image.png").write_bytes(png)
    port = server.grpc_port if transport == "grpc" else server.rest_port
    code = f"""
import sys, pathlib
from roadworthy.serving.client import Client
with Client.open("127.0.0.1:{port}", transport="{transport}") as client:
    (answer,) = client.classify_images("fashion", [pathlib.Path({str(tmp_path / "image.png")!r}).read_bytes()])
print(answer.label, sorted({{"tensorflow", "tensorflow_serving", "keras", "PIL"}} & set(sys.modules)))
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    label, loaded = finished.stdout.split()
    assert label in ("bag", "boot", "coat", "shirt")
    assert loaded == "[]"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_model_of_another_kind_cannot_classify(tmp_path, serve, transport):
    import tensorflow as tf

    class Double(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], name="x")])
        def double(self, x):
            return {"y": 2 * x}

    module = Double()
    tf.saved_model.save(module, str(tmp_path / "double" / "1"), signatures=module.double)
    server = serve(tmp_path)
    port = server.grpc_port if transport == "grpc" else server.rest_port
    with Client.open(f"127.0.0.1:{port}", transport=transport) as client:
        answer = client.predict("double", {"x": np.array([1.5, 2], np.float32)})
        assert answer["y"].tolist() == [3, 4]
        with pytest.raises(AskError, match="image_bytes"):
            client.classify_images("double", [b"x"])
