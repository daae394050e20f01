"""Clients that send any bytes at all, and read what a server makes of them."""

import contextlib
import re
import socket

import ngh2

from roadworthy.serving.server.grpc_wire import framed

# Far more than any answer needs; a server that neither answers nor hangs up in it hangs.
PATIENCE_S = 60.0


def exchanged(port: int, sent: bytes, *, quiet_s: float = 1.0) -> bytes:
    """All that a server says to some bytes.

    Args:
        port: of the server.
        sent: the bytes.
        quiet_s: once the server said nothing for so long, the client says that it has no more to say.

    Raises:
        TimeoutError: the server neither hangs up nor says anything for a long time.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        # The server may have had enough already.
        with contextlib.suppress(ConnectionError):
            client.sendall(sent)
        heard = bytearray()
        with contextlib.suppress(ConnectionError):
            client.settimeout(quiet_s)
            try:
                _read(client, heard)
            except TimeoutError:
                client.settimeout(PATIENCE_S)
                client.shutdown(socket.SHUT_WR)
                _read(client, heard)
    return bytes(heard)


def _read(client: socket.socket, heard: bytearray) -> None:
    while chunk := client.recv(1 << 16):
        heard += chunk


def http_statuses(answer: bytes) -> list[int]:
    """The status of every answer over HTTP/1.1."""
    return [int(status) for status in re.findall(rb"^HTTP/1\.1 (\d{3})", answer, re.MULTILINE)]


def grpc_bytes(path: str, message: bytes, *headers: tuple[bytes, bytes]) -> bytes:
    """All bytes of a connection over which one gRPC request is sent."""
    return _asked(path, framed(message), headers)[1]


def grpc_statuses(asked: str, answer: bytes) -> list[bytes]:
    """The gRPC status of every answer, as far as they can be read, over a connection that `asked` for that path."""
    connection, _ = _asked(asked, b"", ())
    statuses = []
    try:
        connection.receive_data(answer)
        for event in connection.events():
            if isinstance(event, ngh2.ResponseReceived | ngh2.TrailersReceived):
                statuses += [value for name, value in event.headers if name == b"grpc-status"]
    except ngh2.NGH2Error:
        pass
    return statuses


def _asked(path: str, body: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> tuple[ngh2.Connection, bytes]:
    connection = ngh2.Connection(ngh2.Role.CLIENT)
    connection.initiate_connection({})
    head = (
        (b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"localhost"), (b":path", path.encode()),
        (b"content-type", b"application/grpc"), (b"te", b"trailers"), *headers,
    )  # fmt: skip
    stream = connection.send_request(head)
    connection.send_data(stream, body, end_stream=True)
    sent = bytearray()
    while data := connection.data_to_send():
        sent += data
    return connection, bytes(sent)
