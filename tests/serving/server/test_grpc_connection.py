"""HTTP/2 as gRPC's own clients speak it, and as nobody should: over a real server."""

import asyncio
import gzip
import shutil
import socket
import threading
import time

import grpc
import ngh2
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.waiting import wait_for
from roadworthy.serving import protos
from roadworthy.serving.server import grpc_connection
from roadworthy.serving.server.listening import Listening
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.run import ModelServer
from roadworthy.serving.server.work import Work

STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
CHECK = "/grpc.health.v1.Health/Check"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MESSAGE = protos.GetModelStatusRequest(model_spec={"name": "nope"}).SerializeToString()
SERVING = health_pb2.HealthCheckResponse.SERVING


@pytest.fixture(scope="module")
def root(tmp_path_factory, exported):
    """A root with a model that is asked nothing; without one the server would not call itself ready."""
    made = tmp_path_factory.mktemp("models")
    shutil.copytree(exported["litert"], made / "small" / "1")
    return made


@pytest.fixture(scope="module")
def server(root):
    listening = Listening(grpc_port=0, rest_port=None, health=True)
    with ModelServer(Manager.of_root(root), listening) as started:
        yield started


@pytest.fixture
def channel(server):
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as opened:
        yield opened


@pytest.fixture
def still_serves(server):
    yield
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as fresh:
        assert health_pb2_grpc.HealthStub(fresh).Check(health_pb2.HealthCheckRequest(), timeout=20).status == SERVING


def refusal(call, message=MESSAGE, **options):
    with pytest.raises(grpc.RpcError) as refused:
        call(message, **{"timeout": 20, **options})
    return refused.value.code().name, refused.value.details()


class Raw:
    """A client that sends what it likes."""

    def __init__(self, server):
        self.http2 = ngh2.Connection(ngh2.Role.CLIENT)
        self.http2.initiate_connection()
        self.socket = socket.create_connection(("127.0.0.1", server.grpc_port), timeout=20)

    def ask(self, path=STATUS, body=b"", headers=(), *, end=True):
        head = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"x"), (b":path", path.encode())]
        stream = self.http2.send_request([*head, (b"content-type", b"application/grpc"), *headers])
        self.http2.send_data(stream, body, end_stream=end)
        return stream

    def events(self, until):
        """What comes, up to an event of that kind or the end of the connection."""
        seen = []
        while not any(isinstance(event, until) for event in seen):
            self.socket.sendall(self.http2.data_to_send())
            received = self.socket.recv(65536)
            if not received:
                break
            self.http2.receive_data(received)
            seen += self.http2.events()
        return seen

    def is_hung_up(self):
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True


@pytest.fixture
def raw(server):
    client = Raw(server)
    yield client
    client.socket.close()


def framed(message, compressed=0):
    return bytes([compressed]) + len(message).to_bytes(4, "big") + message


@pytest.mark.parametrize(
    "compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate]
)
def test_grpcs_own_client_may_compress(channel, compression):
    call = channel.unary_unary(STATUS)
    named = protos.GetModelStatusRequest(model_spec={"name": "n" * 500}).SerializeToString()
    assert refusal(call, named, compression=compression) == (
        "NOT_FOUND",
        f"Could not find any versions of model {'n' * 500}",
    )


def test_an_asyncio_client_is_answered_too(server):
    async def ask():
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            calls = [channel.unary_unary(STATUS)(MESSAGE, timeout=20) for _ in range(50)]
            return await asyncio.gather(*calls, return_exceptions=True)

    assert {error.code().name for error in asyncio.run(ask())} == {"NOT_FOUND"}


def test_a_method_that_is_not_there_is_unimplemented(channel):
    assert refusal(channel.unary_unary("/a.B/C")) == ("UNIMPLEMENTED", "Method not found!")


def test_health_is_watched_until_the_server_stops(root):
    seen = []
    with ModelServer(Manager.of_root(root), Listening(grpc_port=0, rest_port=None, health=True)) as server:
        channel = grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}")
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service="ModelService"))
        seen.append(next(watch).status)
    with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
        seen.extend(told.status for told in watch)
    assert seen == [SERVING, health_pb2.HealthCheckResponse.NOT_SERVING]


def test_a_large_message_passes_flow_control(channel):
    code, details = refusal(
        channel.unary_unary(STATUS),
        MESSAGE + protos.GetModelStatusRequest(model_spec={"signature_name": "x" * 20_000_000}).SerializeToString(),
    )
    assert (code, details) == ("NOT_FOUND", "Could not find any versions of model nope")


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"", (), b"3"),
        (b"\0\0", (), b"3"),
        (framed(MESSAGE) + framed(MESSAGE), (), b"3"),
        (framed(b"\xff\xff"), (), b"3"),
        (framed(b"not gzip", 1), ((b"grpc-encoding", b"gzip"),), b"3"),
        (framed(gzip.compress(MESSAGE)[:-9], 1), ((b"grpc-encoding", b"gzip"),), b"3"),
        (framed(MESSAGE, 1), ((b"grpc-encoding", b"br"),), b"12"),
        (framed(MESSAGE), ((b"grpc-timeout", b"soon"),), b"3"),
        (framed(MESSAGE), ((b"grpc-timeout", b"0n"),), b"4"),
        (b"\0\xff\xff\xff\xff", (), b"8"),
        (framed(gzip.compress(bytes(130 << 20)), 1), ((b"grpc-encoding", b"gzip"),), b"8"),
    ],
    ids=["none", "cut", "two", "no-message", "no-gzip", "cut-gzip", "br", "no-timeout", "late", "4GB-claim", "bomb"],
)
def test_a_malformed_request_has_its_status(raw, body, headers, code, still_serves):
    raw.ask(body=body, headers=headers)
    statuses = [
        dict(event.headers).get(b"grpc-status") for event in raw.events(ngh2.StreamClosed) if hasattr(event, "headers")
    ]
    assert statuses == [code]


def test_a_message_that_will_be_too_long_is_refused_before_it_is_sent(raw):
    raw.ask(body=b"\0\xff\xff\xff\xff", end=False)
    answer = [event for event in raw.events(ngh2.StreamClosed) if isinstance(event, ngh2.ResponseReceived)]
    assert dict(answer[0].headers)[b"grpc-status"] == b"8"


@pytest.mark.parametrize(
    ("headers", "status"),
    [([(b":method", b"GET")], b"405"), ([(b":method", b"POST"), (b"content-type", b"text/plain")], b"415")],
)
def test_what_is_not_grpc_is_refused_by_http(raw, headers, status):
    raw.http2.send_request(
        [headers[0], (b":scheme", b"http"), (b":authority", b"x"), (b":path", STATUS.encode()), *headers[1:]],
        end_stream=True,
    )
    answer = next(event for event in raw.events(ngh2.StreamClosed) if isinstance(event, ngh2.ResponseReceived))
    assert dict(answer.headers)[b":status"] == status


def test_a_request_that_trickles_is_ended(raw, server, monkeypatch):
    monkeypatch.setattr(grpc_connection, "REQUEST_S", 0.05)
    raw.ask(body=b"\0", end=False)
    raw.socket.sendall(raw.http2.data_to_send())
    time.sleep(0.2)
    (connection,) = _connections(server)
    server._loop.run(_call(connection.look_after))
    answer = next(event for event in raw.events(ngh2.StreamClosed) if isinstance(event, ngh2.ResponseReceived))
    assert dict(answer.headers)[b"grpc-status"] == b"4"


def _connections(server):
    deadline = time.monotonic() + 20
    while len(found := [one for one in server._transports._grpc._connections if one._exchanges]) != 1:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


async def _call(function):
    return function()


def test_an_answer_for_who_has_broken_http2_meanwhile_is_dropped(raw, server, monkeypatch, still_serves):
    host, port = raw.socket.getsockname()
    tell, ours = [], []

    def is_taken_in():
        ours[:] = [one for one in server._transports._grpc._connections if one._peer == f"{host}:{port}"]
        return ours

    def hold(work, kind, steps, told, **_):
        tell.append(told)
        return lambda: None

    async def ask_and_break():
        ours[0].data_received(raw.http2.data_to_send())
        ours[0].data_received(b"\0\0\1\0\0\0\0\0\0x")  # data of no stream
        tell[0](b"an answer", None)

    monkeypatch.setattr(Work, "begin", hold)
    wait_for(is_taken_in)
    raw.ask(body=framed(MESSAGE))
    server._loop.run(ask_and_break())
    assert raw.is_hung_up()


def test_all_that_comes_in_at_once_is_bounded(raw, server, monkeypatch, still_serves):
    monkeypatch.setattr(server._transports._incoming, "_max_bytes", 1000)
    raw.ask(body=framed(bytes(2000)))
    answer = next(event for event in raw.events(ngh2.StreamClosed) if isinstance(event, ngh2.ResponseReceived))
    assert dict(answer.headers)[b"grpc-status"] == b"8"


FLOODS = {
    "rapid reset": lambda n: b"".join(_request_and_reset(2 * k + 1) for k in range(n)),
    "settings": lambda n: b"\0\0\6\4\0\0\0\0\0\0\3\0\0\0\x64" * n,
    "ping": lambda n: b"\0\0\x08\6\0\0\0\0\x0012345678" * n,
    "continuation": lambda n: b"\0\0\1\1\0\0\0\0\1\x82" + b"\0\0\1\x09\0\0\0\0\1\x84" * n,
}


def _head(stream):
    block = b"\x83\x86\x41\x01x\x04\x02/x"
    return len(block).to_bytes(3, "big") + b"\1\4" + stream.to_bytes(4, "big") + block


def _request_and_reset(stream):
    return _head(stream) + b"\0\0\4\3\0" + stream.to_bytes(4, "big") + b"\0\0\0\x08"


@pytest.mark.parametrize("flood", ["rapid reset", "settings", "ping", "continuation"])
def test_a_flood_is_cut_off_and_costs_no_memory(server, flood, still_serves):
    with socket.create_connection(("127.0.0.1", server.grpc_port), timeout=20) as attacker:
        attacker.sendall(PREFACE + b"\0\0\0\4\0\0\0\0\0")
        frames = FLOODS[flood](2000)
        cut_off = threading.Event()
        try:
            # Nothing is read, so what the server would answer has to pile up somewhere.
            for _ in range(3000):
                attacker.sendall(frames)
        except OSError:
            cut_off.set()
        assert cut_off.is_set()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_bytes_make_it_fail(server, data):
    frames = st.builds(
        lambda kind, flags, stream, payload: (
            len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
        ),
        st.integers(0, 12),
        st.integers(0, 255),
        st.integers(0, 7),
        st.binary(max_size=40),
    )
    sent = data.draw(st.lists(frames | st.binary(max_size=30), max_size=8))
    with socket.create_connection(("127.0.0.1", server.grpc_port), timeout=20) as client:
        try:
            client.sendall(PREFACE + b"\0\0\0\4\0\0\0\0\0" + b"".join(sent))
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
        except (ConnectionResetError, BrokenPipeError):
            pass
    assert server._loop._thread.is_alive()


def test_after_all_that_nothing_is_left_behind(server, still_serves):
    deadline = time.monotonic() + 20
    while any(connection._exchanges for connection in server._transports._grpc._connections):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert server._transports._incoming._bytes == 0
