"""One way to ask a model server from threads, whichever transport it takes."""

import time
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


class Transport(Protocol):
    """Moves bytes to one server and back."""

    def send(self, step: Send) -> Reply:
        """Sends a message and waits for its reply."""
        ...

    def close(self) -> None:
        """Closes the connections."""
        ...


class Client:
    """Asks a model server; a context manager, for use from any number of threads at once.

    Its connections stay open between calls. `AsyncClient` is the same for asyncio.

        with Client.open("localhost:8500") as client:
            client.classify_images("fashion", [Path("boot.png").read_bytes()])
            client.predict("prices", {"rooms": [[3.0, 2.0]]}, outputs=["price"], timeout_s=0.5)
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
    ) -> "Client":
        """A client of a server, which is first contacted when it is asked something.

        Args:
            server: HOST:PORT, an IPv6 host in brackets.
            transport: ``grpc`` or ``rest``.
            timeout_s: time for a whole call, retries included, > 0; each call may have its own.
            retry: how often a request is sent again that met UNAVAILABLE or RESOURCE_EXHAUSTED.
            tls: encrypts, with `Tls()` under the usual public authorities; None is plain text.
            token: sent as ``authorization: Bearer …``; never shown in a repr, an error or a log.
            insecure: send the token in plain text to another machine all the same.

        Raises:
            InvalidOption: one of them can't be used, or the token would travel in plain text.
        """
        return cls(Options(server, transport, timeout_s, retry, tls, token, insecure))

    def predict(
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
        """Asks for a model's outputs.

            client.predict("prices", {"rooms": np.ones((8, 2), np.float32)})["price"]
            client.predict("films", ["what a film"], signature="text")

        Args:
            model: name of the model.
            inputs: a value for each input by name, or the value alone where there is one input. A value is an array,
                bytes, text, a number, or nested sequences of them: images and text are strings, so a batch of images is
                a list of bytes. Python's floats become float32 and ints int32; arrays keep their dtype.
            signature: name of the signature.
            version: version of the model.
            label: the version by its label, in place of its number; neither is the latest.
            outputs: names of those wanted; none is all. Over gRPC the server leaves the others out.
            timeout_s: time for the whole call, > 0; None is the client's.

        Returns:
            One array for each output; strings as object arrays of bytes.

        Raises:
            AskError: the request can't be sent or was refused; see `roadworthy.serving.client.errors`.
        """
        return self._run(self._asker.predict(Target(model, version, label), inputs, signature, outputs, timeout_s))

    def classify_images(
        self,
        model: str,
        images: Sequence[bytes],
        *,
        version: int | None = None,
        label: str | None = None,
        timeout_s: float | None = None,
    ) -> list[Prediction]:
        """Classifies encoded images with a model that keeps Roadworthy's contract, in one request.

        Args:
            model: name of the model.
            images: bytes of JPEG or PNG files; none need no server.
            version: version of the model.
            label: the version by its label, in place of its number; neither is the latest.
            timeout_s: time for the whole call, > 0; None is the client's.

        Returns:
            One prediction an image, in order.

        Raises:
            AskError: the request can't be sent or was refused; see `roadworthy.serving.client.errors`.
        """
        return self._run(self._asker.classify_images(Target(model, version, label), images, timeout_s))

    def classify(
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
        """Asks a classification signature about `tf.Example`s.

            client.classify("income", [{"age": 31, "job": "nurse"}, {"age": 58, "job": "judge"}])

        Args:
            model: name of the model.
            examples: features of each by name; a feature is a value or a sequence of values, all bytes, text, ints or
                floats.
            context: features that all examples share.
            signature: name of the signature; empty is the model's default.
            version: version of the model.
            label: the version by its label, in place of its number; neither is the latest.
            timeout_s: time for the whole call, > 0; None is the client's.

        Returns:
            For each example its classes with their scores, in the model's order.

        Raises:
            AskError: the request can't be sent or was refused; see `roadworthy.serving.client.errors`.
        """
        target = Target(model, version, label)
        return self._run(self._asker.classify(target, examples, context, signature, timeout_s))

    def regress(
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
        """Asks a regression signature about `tf.Example`s; arguments and errors as of `classify`.

        Returns:
            float32[examples].
        """
        target = Target(model, version, label)
        return self._run(self._asker.regress(target, examples, context, signature, timeout_s))

    def metadata(
        self, model: str, *, version: int | None = None, label: str | None = None, timeout_s: float | None = None
    ) -> dict[str, Signature]:
        """The signatures of a model by name: inputs and outputs with their dtypes and shapes.

        Raises:
            AskError: the request was refused; see `roadworthy.serving.client.errors`.
        """
        return self._run(self._asker.metadata(Target(model, version, label), timeout_s))

    def status(
        self, model: str, *, version: int | None = None, label: str | None = None, timeout_s: float | None = None
    ) -> list[VersionStatus]:
        """How the versions of a model fare, newest first.

        Raises:
            AskError: the request was refused; see `roadworthy.serving.client.errors`.
        """
        return self._run(self._asker.status(Target(model, version, label), timeout_s))

    def close(self) -> None:
        """Closes the connections; the client answers no more."""
        self._asker.close()
        self._transport.close()

    def _run(self, steps: Steps[T]) -> T:
        reply: Reply | None = None
        try:
            while True:
                step = steps.send(reply)
                reply = None
                if isinstance(step, Send):
                    reply = self._transport.send(step)
                else:
                    time.sleep(step.seconds)
        except StopIteration as done:
            value: T = done.value
            return value

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._asker.options})"


def _transport(options: Options) -> Transport:
    # Imported when it is chosen: who asks over REST need not load gRPC.
    if options.transport == "grpc":
        from roadworthy.serving.client.grpc_transport import GrpcTransport

        return GrpcTransport(options)
    from roadworthy.serving.client.rest_transport import RestTransport

    return RestTransport(options)
