"""One way to ask a model server from asyncio, whichever transport it takes."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from roadworthy.serving.client.answers import Outputs, Prediction, ScoredLabel, VersionStatus
from roadworthy.serving.client.asker import Asker
from roadworthy.serving.client.options import Options, Tls
from roadworthy.serving.client.retry import DEFAULT_RETRY, Retry
from roadworthy.serving.client.steps import Reply, Send, Steps, T
from roadworthy.serving.client.wire import Target
from roadworthy.serving.contract import EXAMPLES_SIGNATURE
from roadworthy.serving.servables.base import Signature


class AsyncTransport(Protocol):
    """Moves bytes to one server and back."""

    async def send(self, step: Send) -> Reply:
        """Sends a message and waits for its reply."""
        ...

    async def close(self) -> None:
        """Closes the connections."""
        ...


class AsyncClient:
    """Asks a model server; an asynchronous context manager, for any number of tasks of one event loop.

    Every method is `Client`'s of the same name, awaited. A cancelled call is cancelled on the wire too.

        async with AsyncClient.open("localhost:8500") as client:
            await asyncio.gather(*(client.classify_images("fashion", [image]) for image in images))
    """

    def __init__(self, options: Options) -> None:
        """A client of a server; see `open`."""
        self._asker = Asker(options)
        self._transport = _transport(options)

    @classmethod
    def open(
        cls,
        server: str,
        *,
        transport: str = "grpc",
        timeout_s: float = 30.0,
        retry: Retry = DEFAULT_RETRY,
        tls: Tls | None = None,
        token: str | None = None,
        insecure: bool = False,
    ) -> "AsyncClient":
        """See `Client.open`; no await, since nothing is sent."""
        return cls(Options(server, transport, timeout_s, retry, tls, token, insecure))

    async def predict(
        self,
        model: str,
        inputs: Any,
        *,
        signature: str = EXAMPLES_SIGNATURE,
        version: int | None = None,
        label: str | None = None,
        outputs: Sequence[str] = (),
        timeout_s: float | None = None,
    ) -> Outputs:
        """See `Client.predict`."""
        target = Target(model, version, label)
        return await self._run(self._asker.predict(target, inputs, signature, outputs, timeout_s))

    async def classify_images(
        self,
        model: str,
        images: Sequence[bytes],
        *,
        version: int | None = None,
        label: str | None = None,
        timeout_s: float | None = None,
    ) -> list[Prediction]:
        """See `Client.classify_images`."""
        return await self._run(self._asker.classify_images(Target(model, version, label), images, timeout_s))

    async def classify(
        self,
        model: str,
        examples: Sequence[Mapping[str, Any]],
        *,
        context: Mapping[str, Any] | None = None,
        signature: str = "",
        version: int | None = None,
        label: str | None = None,
        timeout_s: float | None = None,
    ) -> list[list[ScoredLabel]]:
        """See `Client.classify`."""
        target = Target(model, version, label)
        return await self._run(self._asker.classify(target, examples, context, signature, timeout_s))

    async def regress(
        self,
        model: str,
        examples: Sequence[Mapping[str, Any]],
        *,
        context: Mapping[str, Any] | None = None,
        signature: str = "",
        version: int | None = None,
        label: str | None = None,
        timeout_s: float | None = None,
    ) -> np.ndarray:
        """See `Client.regress`."""
        target = Target(model, version, label)
        return await self._run(self._asker.regress(target, examples, context, signature, timeout_s))

    async def metadata(
        self, model: str, *, version: int | None = None, label: str | None = None, timeout_s: float | None = None
    ) -> dict[str, Signature]:
        """See `Client.metadata`."""
        return await self._run(self._asker.metadata(Target(model, version, label), timeout_s))

    async def status(
        self, model: str, *, version: int | None = None, label: str | None = None, timeout_s: float | None = None
    ) -> list[VersionStatus]:
        """See `Client.status`."""
        return await self._run(self._asker.status(Target(model, version, label), timeout_s))

    async def close(self) -> None:
        """Closes the connections; the client answers no more."""
        self._asker.close()
        await self._transport.close()

    async def _run(self, steps: Steps[T]) -> T:
        reply: Reply | None = None
        try:
            while True:
                step = steps.send(reply)
                reply = None
                if isinstance(step, Send):
                    reply = await self._transport.send(step)
                else:
                    await asyncio.sleep(step.seconds)
        except StopIteration as done:
            value: T = done.value
            return value

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncClient({self._asker.options})"


def _transport(options: Options) -> AsyncTransport:
    # Imported when it is chosen: who asks over REST need not load gRPC.
    if options.transport == "grpc":
        from roadworthy.serving.client.grpc_transport import AsyncGrpcTransport

        return AsyncGrpcTransport(options)
    from roadworthy.serving.client.rest_transport import AsyncRestTransport

    return AsyncRestTransport(options)
