"""What a client may cost over HTTP: long heads, slow ones, claims, connections."""

import contextlib
import re
import socket
import time

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from roadworthy.serving.server import rest_connection, rest_server
from roadworthy.serving.server.listening import Listening
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.run import ModelServer

GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def start(monkeypatch):
    """Starts a server of no model that is quick to lose patience."""
    running = []

    def started(**listening):
        monkeypatch.setattr(rest_connection, "HEAD_S", 0.5)
        monkeypatch.setattr(rest_server, "_LOOK_AFTER_EVERY_S", 0.1)
        asked = Listening(**{"grpc_port": 0, "rest_port": 0, **listening})
        running.append(ModelServer(Manager.of_models([]), asked).__enter__())
        return running[-1]

    yield started
    for server in running:
        server.__exit__()


@pytest.fixture
def connect():
    """Opens connections to the REST port of a server."""
    opened = []

    def connected(server):
        opened.append(socket.create_connection(("127.0.0.1", server.rest_port), timeout=15))
        return opened[-1]

    yield connected
    for connection in opened:
        connection.close()


def answer(connection):
    """All that comes until the server hangs up."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def status(received):
    return int(received.split()[1]) if received else None


@pytest.mark.parametrize("head", [b"x" * 400_000, b"A: " + b"x" * 400_000, b"A: x\r\n" * 90_000, b"A: x\r\n" * 101])
def test_a_head_that_is_too_long_is_refused(start, connect, head):
    connection = connect(start())
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(GET + head + (b"\r\n" if head.endswith(b"\n") else b""))

    # What the server has not read when it hangs up may make the network drop its last words.
    allowed = (431, 400, None) if len(head) > rest_connection.MAX_HEAD_BYTES else (431,)
    assert status(answer(connection)) in allowed


def test_a_head_that_trickles_in_ends_with_a_time_out_whatever_is_sent_meanwhile(start, connect):
    server = start()
    slow, quick = connect(server), connect(server)
    started = time.monotonic()
    slow.sendall(GET)
    try:
        while time.monotonic() - started < 5:
            slow.sendall(b"A: x\r\n")
            time.sleep(0.05)
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert time.monotonic() - started < 3
    quick.sendall(GET + b"Connection: close\r\n\r\n")
    assert status(answer(quick)) in (200, None)  # it waited as long, without a byte
    assert status(answer(connect_and_send(connect, server, GET + b"Connection: close\r\n\r\n"))) == 200


def connect_and_send(connect, server, content):
    connection = connect(server)
    connection.sendall(content)
    return connection


def test_a_slow_head_is_told_why(start, connect):
    received = answer(connect_and_send(connect, start(), GET))
    assert (status(received), b"must be whole within 0.5 s" in received) == (408, True)


def test_a_connection_without_a_byte_is_closed(start, connect):
    assert answer(connect(start())) == b""


def test_empty_lines_for_ever_are_no_request(start, connect):
    connection, started = connect(start()), time.monotonic()
    try:
        while time.monotonic() - started < 5:
            connection.sendall(b"\r\n")
            time.sleep(0.05)
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert time.monotonic() - started < 3


def test_a_body_that_trickles_in_is_given_up(start, connect):
    connection = connect(start(rest_timeout_s=0.3))
    connection.sendall(b"POST /v1/models/half:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
    started = time.monotonic()
    try:
        while time.monotonic() - started < 8:
            connection.sendall(b" ")
            time.sleep(0.05)
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert time.monotonic() - started < 5
    # The answer may be lost with the connection; it is there before.
    assert status(answer(connection)) in (504, None)


def test_a_claim_of_2_gb_is_refused_before_a_byte_of_it(start, connect):
    claim = b"POST /v1/models/half:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2147483648\r\n\r\n"
    connection = connect_and_send(connect, start(), claim)
    received = connection.recv(65536)
    assert (status(received), b"Received: 2,147,483,648" in received) == (429, True)


def test_chunks_without_an_end_stop_at_the_bound(start, connect):
    connection = connect(start(max_request_bytes=1000))
    connection.sendall(b"POST /v1/models/half:predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    connection.sendall(b"400\r\n" + b" " * 0x400 + b"\r\n")
    assert status(connection.recv(65536)) == 429


def test_many_clients_together_fill_no_more_memory_than_four_of_the_longest_requests(start, connect):
    server = start(max_request_bytes=100_000)
    head = b"POST /v1/models/half:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
    slow = [connect_and_send(connect, server, head + b" " * 99_000) for _ in range(4)]
    time.sleep(0.3)
    late = connect_and_send(connect, server, head + b" " * 99_000)
    assert (status(late.recv(65536)), slow[0].send(b" ")) == (429, 1)
    for connection in slow:
        connection.close()
    time.sleep(0.1)
    # No such model, but room.
    assert status(connect_and_send(connect, server, head + b"{}" + b" " * 99_998).recv(65536)) == 404


def test_a_connection_too_many_is_refused_and_room_comes_back(start, connect):
    server = start(max_connections=2)
    request = GET + b"Connection: close\r\n\r\n"
    first, second = (connect(server) for _ in range(2))
    time.sleep(0.1)
    assert status(answer(connect_and_send(connect, server, request))) == 503
    for connection in (first, second):
        connection.close()
    time.sleep(0.1)
    assert status(answer(connect_and_send(connect, server, request))) == 200


def test_a_client_that_was_refused_while_it_sends_can_read_why(start, connect):
    server = start(max_connections=1)
    connect(server)
    time.sleep(0.1)
    refused = connect(server)
    time.sleep(0.1)
    head = b"POST /v1/models/half:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n"
    refused.sendall(head + b" " * 9_000_000)
    time.sleep(0.1)
    assert b"must not have more than 1 connections" in refused.recv(65536)


def test_a_client_that_was_refused_and_stays_is_closed(start, connect, monkeypatch):
    monkeypatch.setattr(rest_connection, "_LINGER_S", 0.2)
    refused = connect_and_send(connect, start(), b"no HTTP\r\n\r\n")
    assert status(answer(refused)) == 400
    time.sleep(0.4)
    refused.send(b"more")
    time.sleep(0.1)
    with pytest.raises(BrokenPipeError):
        refused.send(b"more")


def test_what_is_no_http_is_refused_in_json(start, connect):
    received = answer(connect_and_send(connect, start(), b"\x16\x03\x01 no HTTP\r\n\r\n"))
    assert (status(received), b'{"error"' in received.replace(b" ", b"")) == (400, True)


def test_requests_in_a_row_and_one_behind_the_other_are_answered(start, connect):
    connection = connect(start())
    connection.sendall((GET + b"\r\n") * 3 + GET + b"Connection: close\r\n\r\n")
    assert answer(connection).count(b"HTTP/1.1 200") == 4


def test_head_and_body_come_in_one_piece_and_a_head_alone_comes_too(start, connect):
    connection = connect(start())
    pieces = []
    for verb in (b"GET", b"HEAD", b"GET"):
        connection.sendall(verb + b" /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        pieces.append(connection.recv(65536))

    assert [status(piece) for piece in pieces] == [200] * 3
    assert [piece.endswith(b"ok\n") for piece in pieces] == [True, False, True]


def test_the_word_to_go_on_with_a_body_does_not_wait_for_the_answer(start, connect):
    connection = connect(start())
    connection.sendall(
        b"POST /v1/models/m:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    )
    assert connection.recv(1000).startswith(b"HTTP/1.1 100")
    connection.sendall(b"{}")
    assert status(connection.recv(1000)) == 404


@pytest.fixture
def long_ways(monkeypatch):
    """The paths of the requests that went uvicorn's way."""
    paths, start = [], HttpToolsProtocol._start_asgi_task

    def started(connection, cycle, app):
        paths.append(cycle.scope["path"])
        return start(connection, cycle, app)

    monkeypatch.setattr(HttpToolsProtocol, "_start_asgi_task", started)
    return paths


def predict(body=b'{"instances": [1.0, 5.0]}', *, path=b"/v1/models/half_plus_two:predict", more=b""):
    return b"POST %b HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n%b" % (path, more, len(body), body)


@pytest.fixture
def quick(server, connect, long_ways):
    """A connection to a server that has found out how quick predictions are."""
    connection = connect(server)
    for _ in range(500):
        long_ways.clear()
        connection.sendall(predict())
        connection.recv(65536)
        if not long_ways:
            return connection
    raise AssertionError("it never took the short way")


def test_a_quick_request_is_answered_the_short_way_as_on_the_long_one(quick, long_ways):
    answers = []
    for pieces in ([predict()], [predict()[:-5], predict()[-5:]], [predict()[:60], predict()[60:]]):
        for piece in pieces:
            quick.sendall(piece)
            time.sleep(0.05)
        answers.append(re.sub(rb"(date|x-request-id): [^\r]*", rb"\1", quick.recv(65536).lower()))

    assert len(long_ways) == 1  # whose body came later than its head
    assert {frozenset(one.split(b"\r\n")) for one in answers} == {frozenset(answers[0].split(b"\r\n"))}
    assert answers[0].endswith(b'\r\n\r\n{"predictions":[2.5,4.5]}')


def test_short_and_long_ways_keep_their_turns_in_one_connection(quick, long_ways):
    bodies = [b'{"instances": [%d.0]}' % number for number in range(6)]
    ways = [b"", b"Content-Encoding: identity\r\n"]
    quick.sendall(b"".join(predict(body, more=ways[number % 2]) for number, body in enumerate(bodies)))
    received = b""
    while received.count(b"predictions") < len(bodies):
        received += quick.recv(65536)

    assert re.findall(rb"\[(.*?)\]", received) == [b"2.0", b"2.5", b"3.0", b"3.5", b"4.0", b"4.5"]
    assert long_ways


def received_until_closed(connection):
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


def test_what_follows_a_request_on_the_short_way_is_answered_after_it(quick, long_ways):
    quick.sendall(predict() + b"no HTTP\r\n\r\n")

    received = received_until_closed(quick)
    assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"200", b"400"]
    assert long_ways == []


def end_of_client(connection):
    # What an event loop does then.
    if not connection.eof_received():
        connection._wire.close()


@pytest.mark.parametrize("end", [rest_connection.RestConnection.shutdown, end_of_client])
def test_what_is_on_the_short_way_when_either_side_ends_is_answered(server, quick, long_ways, end):
    (connection,) = server._transports._rest._server.server_state.connections

    async def ask_and_end():
        connection.data_received(predict())
        end(connection)

    server._loop.run(ask_and_end())
    assert b"[2.5,4.5]" in received_until_closed(quick)
    assert long_ways == []


@pytest.mark.parametrize(
    "request_bytes",
    [
        predict(more=b"Connection: close\r\n"),
        predict().replace(b"HTTP/1.1", b"HTTP/1.0"),
        predict(path=b"/v1/models/half_plus%5ftwo:predict", more=b"Connection: close\r\n"),
        predict(path=b"/v1/models/half_plus_two:predict?x=1", more=b"Connection: close\r\n"),
    ],
    ids=["close", "1.0", "encoded", "query"],
)
def test_whatever_is_not_plain_goes_the_long_way(quick, long_ways, request_bytes):
    quick.sendall(request_bytes)

    received = answer(quick)
    assert (status(received), b"[2.5,4.5]" in received, len(long_ways)) == (200, True, 1)


def test_the_short_way_tells_what_is_wrong(quick, long_ways):
    quick.sendall(predict(b'{"instances": ["one", 2.]}'))

    received = quick.recv(65536)
    assert (status(received), b'{"error":' in received, long_ways) == (400, True, [])
    quick.sendall(predict())
    assert status(quick.recv(65536)) == 200
