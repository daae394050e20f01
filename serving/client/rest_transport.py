"""Bytes over HTTP, from threads and from asyncio."""

import asyncio
import threading
import time
from collections.abc import Iterable
from typing import Any, Final

import httpcore

from roadworthy.serving.client.options import Options
from roadworthy.serving.client.rest_wire import reply_of
from roadworthy.serving.client.steps import MAX_MESSAGE_BYTES, Reply, Send

# A connection that was idle for longer may have been closed by the server's side by now.
_KEEP_S: Final = 20.0
_TOO_LARGE: Final = Reply("INTERNAL", message=f"the answer has more than {MAX_MESSAGE_BYTES:,} bytes")
_NETWORK_FAULTS: Final = (httpcore.NetworkError, httpcore.ProtocolError, OSError)


class RestTransport:
    """A pool of connections, from any thread."""

    def __init__(self, options: Options) -> None:
        self._requests = _Requests(options)
        self._deadline = _Deadline()
        self._pool = httpcore.ConnectionPool(
            **self._requests.pool_options(), network_backend=_DeadlineBackend(self._deadline)
        )

    def send(self, step: Send) -> Reply:
        """Sends a request and waits for its whole response."""
        self._deadline.set_after(step.timeout_s)
        try:
            with self._pool.stream(**self._requests.of(step)) as response:
                body = bytearray()
                for chunk in response.iter_stream():
                    body += chunk
                    if len(body) > MAX_MESSAGE_BYTES:
                        return _TOO_LARGE
                return reply_of(response.status, bytes(body))
        except httpcore.TimeoutException:
            return _out_of_time(step)
        except _NETWORK_FAULTS as error:
            return _unreachable(error)

    def close(self) -> None:
        """Closes the connections."""
        self._pool.close()


class AsyncRestTransport:
    """A pool of connections, for one event loop."""

    def __init__(self, options: Options) -> None:
        self._requests = _Requests(options)
        self._pool = httpcore.AsyncConnectionPool(**self._requests.pool_options())

    async def send(self, step: Send) -> Reply:
        """Sends a request and waits for its whole response; a cancelled wait closes the connection."""
        try:
            async with asyncio.timeout(step.timeout_s), self._pool.stream(**self._requests.of(step)) as response:
                body = bytearray()
                async for chunk in response.aiter_stream():
                    body += chunk
                    if len(body) > MAX_MESSAGE_BYTES:
                        return _TOO_LARGE
                return reply_of(response.status, bytes(body))
        except (TimeoutError, httpcore.TimeoutException):
            return _out_of_time(step)
        except _NETWORK_FAULTS as error:
            return _unreachable(error)

    async def close(self) -> None:
        """Closes the connections."""
        await self._pool.aclose()


class _Requests:
    """What both pools are told of a server and of a request to it."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._headers = [("Host", options.server), ("Content-Type", "application/json"), ("User-Agent", "roadworthy")]
        if options.authorization:
            self._headers.append(("Authorization", options.authorization))

    def pool_options(self) -> dict[str, Any]:
        """Arguments of a pool; its size is the callers', who each wait for their own answer."""
        tls = self._options.tls
        return {
            "ssl_context": tls and tls.context(),
            "max_connections": None,
            "max_keepalive_connections": 64,
            "keepalive_expiry": _KEEP_S,
        }

    def of(self, step: Send) -> dict[str, Any]:
        """Arguments of a request."""
        limits = dict.fromkeys(("connect", "read", "write", "pool"), step.timeout_s)
        return {
            "method": step.message.method,
            "url": httpcore.URL(
                scheme="http" if self._options.tls is None else "https",
                host=self._options.host,
                port=self._options.port,
                target=step.message.target,
            ),
            "headers": self._headers,
            "content": step.message.body or None,
            "extensions": {"timeout": limits},
        }


class _Deadline(threading.local):
    """When the request of this thread has to be over; httpcore itself bounds only each read and write of it."""

    at = float("inf")

    def set_after(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds

    def left_s(self, error: type[Exception]) -> float:
        """Seconds until then.

        Raises:
            error: there are none.
        """
        left = self.at - time.monotonic()
        if left <= 0:
            raise error("the deadline has passed")
        return left


class _DeadlineBackend(httpcore.SyncBackend):
    def __init__(self, deadline: _Deadline) -> None:
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = self._deadline.left_s(httpcore.ConnectTimeout)
        return _DeadlineStream(super().connect_tcp(host, port, left, local_address, socket_options), self._deadline)


class _DeadlineStream(httpcore.NetworkStream):
    """A connection on which no read or write lasts beyond the deadline of the thread that asks."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left_s(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left_s(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._deadline.left_s(httpcore.ConnectTimeout)
        return _DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _out_of_time(step: Send) -> Reply:
    return Reply("DEADLINE_EXCEEDED", message=f"no whole answer within {step.timeout_s:.3g} s")


def _unreachable(error: Exception) -> Reply:
    return Reply("UNAVAILABLE", message=f"{type(error).__name__}: {error}")
