"""Bytes over gRPC, from threads and from asyncio."""

from collections.abc import Callable
from typing import Any, Final

import grpc
import grpc.aio

from roadworthy.serving.client.options import Options
from roadworthy.serving.client.steps import MAX_MESSAGE_BYTES, OK, Reply, Send

_ARGUMENTS: Final = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # A proxy of the environment is not meant for a server that is named by host and port.
    ("grpc.enable_http_proxy", 0),
    # A server that comes back is found at the next retry, not a second later.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # Clients with other options, such as another certificate, have a connection of their own.
    ("grpc.use_local_subchannel_pool", 1),
]


class GrpcTransport:
    """One channel, from any thread."""

    def __init__(self, options: Options) -> None:
        self._channel = _Channel(grpc, options)

    def send(self, step: Send) -> Reply:
        """Sends a message and waits for its reply."""
        try:
            return Reply(OK, self._channel.call(step))
        except grpc.RpcError as error:
            return _failed(error)

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()


class AsyncGrpcTransport:
    """One channel, for one event loop."""

    def __init__(self, options: Options) -> None:
        self._channel = _Channel(grpc.aio, options)

    async def send(self, step: Send) -> Reply:
        """Sends a message and waits for its reply; a cancelled wait cancels the request."""
        try:
            return Reply(OK, await self._channel.call(step))
        except grpc.RpcError as error:
            return _failed(error)

    async def close(self) -> None:
        """Closes the channel."""
        closing = self._channel.close()
        if closing is not None:
            await closing


class _Channel:
    """A channel of `grpc` or of `grpc.aio`, made when it is first used, so that it finds its event loop."""

    def __init__(self, library: Any, options: Options) -> None:
        self._library, self._options = library, options
        self._opened: Any = None
        self._methods: dict[str, Callable[..., Any]] = {}
        self._metadata = [("authorization", options.authorization)] if options.authorization else []

    def call(self, step: Send) -> Any:
        path = step.message.target
        if path not in self._methods:
            # Without serializers a call takes and gives bytes.
            self._methods[path] = self._channel().unary_unary(path)
        return self._methods[path](step.message.body, timeout=step.timeout_s, metadata=self._metadata)

    def close(self) -> Any:
        return None if self._opened is None else self._opened.close()

    def _channel(self) -> Any:
        if self._opened is None:
            tls = self._options.tls
            self._opened = (
                self._library.insecure_channel(self._options.server, options=_ARGUMENTS)
                if tls is None
                else self._library.secure_channel(
                    self._options.server, grpc.ssl_channel_credentials(*tls.pem()), options=_ARGUMENTS
                )
            )
        return self._opened


def _failed(error: Any) -> Reply:
    return Reply(error.code().name, message=error.details() or "")
