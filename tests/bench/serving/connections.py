"""HTTP/1.1 by hand: at a thousand requests a second a client library would take the server's core away."""

import asyncio
import re
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_OK: Final = b"200"

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Connections:
    """Posts one body, each time over a connection that nobody else uses meanwhile."""

    def __init__(self, url: str, body: bytes) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port
        head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        self._request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        self._idle: list[_Connection] = []

    async def ask(self) -> tuple[str, bytes]:
        """OK, HTTP's number of another status, or the name of what went wrong; and the body."""
        try:
            reader, writer = connection = await self._connection()
            writer.write(self._request)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(int(_LENGTH.search(head)[1]))
        except (OSError, asyncio.IncompleteReadError) as error:
            return type(error).__name__, str(error).encode()
        self._idle.append(connection)
        status = _STATUS.match(head)[1]
        return ("OK" if status == _OK else status.decode()), body

    async def _connection(self) -> _Connection:
        """One that is kept; a server may have closed those that were idle for long."""
        while self._idle:
            connection = self._idle.pop()
            if not connection[0].at_eof():
                return connection
        return await asyncio.open_connection(self._host, self._port)

    def close(self) -> None:
        """Closes those that are idle, which after the last answer is all."""
        for _, writer in self._idle:
            with suppress(OSError):
                writer.close()
