"""What gRPC adds to HTTP/2: messages with a prefix, deadlines, and a status in the trailers.

Reference: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

import re
import struct
import zlib
from typing import Final
from urllib.parse import quote

from roadworthy.serving.status import CODE_NUMBERS, RequestError

Header = tuple[bytes, bytes]

PREFIX: Final = struct.Struct(">BI")
ENCODINGS: Final = b"identity,deflate,gzip"
_CONTENT_TYPE: Final = (b"content-type", b"application/grpc")
_OK: Final = (b":status", b"200")
HEAD: Final = (_OK, _CONTENT_TYPE, (b"grpc-accept-encoding", ENCODINGS))
TRAILERS: Final = ((b"grpc-status", b"0"),)
# zlib's window bits: gzip's header and trailer, or zlib's own, which gRPC calls deflate.
_WINDOWS: Final = {"gzip": 31, "deflate": 15}
_TIMEOUT: Final = re.compile(r"(\d{1,8})([HMSmun])")
_UNITS_S: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
# All that is printable but the percent sign stands for itself.
_UNQUOTED: Final = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


def framed(message: bytes) -> bytes:
    """A message as it goes over the wire, not compressed."""
    return PREFIX.pack(0, len(message)) + message


def announced_bytes(body: bytes | bytearray) -> int | None:
    """How long the message says it is, once its prefix is there."""
    return PREFIX.unpack_from(body)[1] if len(body) >= PREFIX.size else None


def unframed(body: bytes | bytearray, *, encoding: str, max_bytes: int) -> bytes:
    """The one message of a request's body.

    Args:
        body: all that the client sent.
        encoding: of the header `grpc-encoding`.
        max_bytes: of the message, unpacked.

    Raises:
        RequestError: no message or several, one that is too long or damaged, or an unknown encoding.
    """
    if len(body) < PREFIX.size:
        raise RequestError(f"A request must have one message. Received: {len(body)} bytes.")
    compressed, length = PREFIX.unpack_from(body)
    check_length(length, max_bytes)
    if len(body) != PREFIX.size + length:
        raise RequestError(
            f"A request must have one message of the {length} bytes it announces. "
            f"Received: {len(body) - PREFIX.size} bytes."
        )
    message = bytes(memoryview(body)[PREFIX.size :])
    return _unpacked(message, encoding, max_bytes) if compressed else message


def check_length(length: int, max_bytes: int) -> None:
    """Refuses what is too long to be taken.

    Raises:
        RequestError: RESOURCE_EXHAUSTED.
    """
    if length > max_bytes:
        raise RequestError(
            f"A request must have at most {max_bytes:,} bytes. Received: {length:,}.", code="RESOURCE_EXHAUSTED"
        )


def _unpacked(message: bytes, encoding: str, max_bytes: int) -> bytes:
    if encoding not in _WINDOWS:
        raise RequestError(
            f"grpc-encoding must be one of {ENCODINGS.decode()}. Received: {encoding}.", code="UNIMPLEMENTED"
        )
    unpack = zlib.decompressobj(_WINDOWS[encoding])
    try:
        # One byte more than is allowed tells that there is more, however much a small message unpacks to.
        unpacked = unpack.decompress(message, max_bytes + 1)
    except zlib.error as error:
        raise RequestError(f"A {encoding} message must be whole. Received: {error}.") from error
    check_length(len(unpacked), max_bytes)
    if not unpack.eof:
        raise RequestError(f"A {encoding} message must be whole. Received: one that ends too early.")
    return unpacked


def timeout_s(value: bytes) -> float:
    """Seconds of a `grpc-timeout` header.

    Raises:
        RequestError: INVALID_ARGUMENT, no such number with a unit.
    """
    found = _TIMEOUT.fullmatch(value.decode("latin-1"))
    if found is None:
        raise RequestError(f"grpc-timeout must be a number and a unit. Received: {value[:40]!r}.")
    return int(found[1]) * _UNITS_S[found[2]]


def status(code: str, message: str) -> tuple[Header, ...]:
    """The trailers of a request that failed; `code` is gRPC's name."""
    number = CODE_NUMBERS[code]
    return (b"grpc-status", b"%d" % number), (
        b"grpc-message",
        quote(message, safe=_UNQUOTED, errors="replace").encode(),
    )


def refusal(code: str, message: str) -> tuple[Header, ...]:
    """The only headers of an answer that has nothing but a status."""
    return (*HEAD, *status(code, message))
