"""What a client may cost over gRPC, and which code it gets for more."""

import socket
import threading
import time

import grpc
import ngh2
import pytest

from roadworthy.serving.server import grpc_connection, grpc_server
from roadworthy.serving.server.listening import Listening
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.run import ModelServer

STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


@pytest.fixture
def start(monkeypatch):
    """Starts a server of no model that is quick to lose patience."""
    running = []

    def started(**listening):
        monkeypatch.setattr(grpc_connection, "_HANDSHAKE_S", 0.5)
        monkeypatch.setattr(grpc_connection, "REQUEST_S", 0.5)
        monkeypatch.setattr(grpc_server, "_LOOK_EVERY_S", 0.1)
        asked = Listening(**{"grpc_port": 0, "rest_port": None, **listening})
        running.append(ModelServer(Manager.of_models([]), asked).__enter__())
        return running[-1]

    yield started
    for server in running:
        server.__exit__()


def code(server, body=b"", **options):
    """The code a client of gRPC's own gets."""
    channel = grpc.insecure_channel(
        f"127.0.0.1:{server.grpc_port}", options=[("grpc.max_metadata_size", 1 << 24), ("grpc.enable_retries", 0)]
    )
    with channel, pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(STATUS)(body, timeout=10, **options)
    return error.value.code().name


def test_a_message_beyond_the_bound_is_refused_packed_or_not(start):
    server = start(max_request_bytes=100_000)
    assert code(server, b" " * 100_001) == "RESOURCE_EXHAUSTED"
    # A bomb: 50 MB that come as 50 kB.
    assert code(server, b" " * 50_000_000, compression=grpc.Compression.Gzip) == "RESOURCE_EXHAUSTED"
    # No such message, but one that was taken.
    assert code(server, b" " * 99_000, compression=grpc.Compression.Gzip) == "INVALID_ARGUMENT"


def test_metadata_without_measure_ends_the_connection_and_not_the_server(start):
    server = start()
    assert code(server, metadata=[("x-long", "x" * 10_000_000)]) in ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "INTERNAL")
    assert code(server) == "INVALID_ARGUMENT"


def connect(server):
    return socket.create_connection(("127.0.0.1", server.grpc_port), timeout=10)


def hung_up(connection):
    """Whether the server hangs up before long."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("content", [b"", b"PRI * HT", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", PREFACE + b"\xff" * 64])
def test_whoever_speaks_no_http2_is_hung_up_on(start, content):
    with connect(start()) as connection:
        connection.sendall(content)
        assert hung_up(connection)


def begin(connection, body, *, then=None):
    """Sends the head of a request and the beginning of its body; gives the answer's headers when they are there.

    What comes `then`: something is done, and a second later the rest of the body is sent.
    """
    http2 = ngh2.Connection(ngh2.Role.CLIENT, ngh2.Configuration())
    http2.initiate_connection()
    head = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"x"), (b":path", STATUS.encode())]
    stream = http2.send_request([*head, (b"content-type", b"application/grpc"), (b"te", b"trailers")])
    http2.send_data(stream, body)
    connection.sendall(http2.data_to_send(1 << 16))
    if then is not None:
        do, rest = then
        time.sleep(0.2)
        do()
        time.sleep(1)
        http2.send_data(stream, rest, end_stream=True)
        connection.sendall(http2.data_to_send(1 << 16))
    while data := connection.recv(65536):
        http2.receive_data(data)
        for event in http2.events():
            if isinstance(event, ngh2.ResponseReceived):
                return dict(event.headers)
        connection.sendall(http2.data_to_send(1 << 16))
    return {}


def test_a_claim_of_2_gb_is_refused_before_a_byte_of_it(start):
    # As gRPC frames a message: not compressed, then its length.
    with connect(start()) as connection:
        answer = begin(connection, b"\x00" + (2**31).to_bytes(4))
    assert answer[b"grpc-status"] == b"8"
    assert b"Received: 2,147,483,648" in answer[b"grpc-message"]


def test_a_request_that_trickles_in_ends_with_a_time_out(start):
    with connect(start()) as connection:
        answer = begin(connection, b"\x00\x00\x00\x00\x09a")
    assert (answer[b"grpc-status"], b"must be whole within" in answer[b"grpc-message"]) == (b"4", True)


def test_a_connection_too_many_is_closed_and_room_comes_back(start):
    server = start(max_connections=1)
    with connect(server) as first:
        first.sendall(PREFACE + SETTINGS)
        assert first.recv(100)
        with connect(server) as second:
            assert hung_up(second)
    time.sleep(0.1)
    assert code(server) == "INVALID_ARGUMENT"


def test_a_request_that_is_coming_in_when_the_server_stops_is_answered():
    server = ModelServer(Manager.of_models([]), Listening(grpc_port=0, rest_port=None)).__enter__()
    stopping = threading.Thread(target=server.__exit__)
    with connect(server) as connection:
        answer = begin(connection, b"\x00\x00\x00\x00", then=(stopping.start, b"\x00"))
    stopping.join(10)
    assert not stopping.is_alive()
    # It names no model, but it is an answer.
    assert answer[b"grpc-status"] == b"3"


def test_an_old_connection_is_given_up_and_no_request_with_it(start):
    server = start(grpc_options={"grpc.max_connection_age_ms": 200})
    seen = []
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        channel.subscribe(seen.append)
        end = time.monotonic() + 1.5
        codes = set()
        while time.monotonic() < end:
            with pytest.raises(grpc.RpcError) as error:
                channel.unary_unary(STATUS)(b"", timeout=10)
            codes.add(error.value.code().name)
    # The request names no model, and the server could say so each time.
    assert codes == {"INVALID_ARGUMENT"}
    assert seen.count(grpc.ChannelConnectivity.READY) > 2
