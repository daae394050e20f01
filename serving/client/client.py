"""One way to ask a model server, whichever transport it takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from roadworthy.serving.client.grpc_transport import GrpcTransport
from roadworthy.serving.client.rest_transport import RestTransport
from roadworthy.serving.client.transport import Transport
from roadworthy.serving.contract import EXAMPLES_SIGNATURE, IMAGE_INPUT, IMAGE_SIGNATURE, LABEL, SCORES
from roadworthy.serving.errors import AskError

_TRANSPORTS: Final[dict[str, Callable[..., Transport]]] = {"grpc": GrpcTransport, "rest": RestTransport}


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one image.

    Attributes:
        label: name of the class with the highest score.
        score: that score, a probability in [0, 1].
        scores: float32[classes], every class's score in the order of the model card's labels.
    """

    label: str
    score: float
    scores: np.ndarray


class Client:
    """Asks a model server; a context manager, usable from several threads.

    with Client.open("localhost:8500") as client:
        client.classify_images("fashion", [Path("boot.png").read_bytes()])
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @classmethod
    def open(cls, server: str, *, transport: str = "grpc", timeout_s: float = 30.0) -> "Client":
        """A client of a server, which is first contacted when it is asked something.

        Args:
            server: HOST:PORT.
            transport: ``grpc`` or ``rest``.
            timeout_s: longest wait for an answer, > 0.

        Raises:
            AskError: no HOST:PORT, or another transport.
        """
        host, _, port = server.rpartition(":")
        if not host or "/" in host or not port.isdecimal():
            raise AskError(
                f"A server must be HOST:PORT, e.g. localhost:8500. Received: {server}.", code="INVALID_ARGUMENT"
            )
        if transport not in _TRANSPORTS:
            raise AskError(
                f"A transport must be one of {', '.join(_TRANSPORTS)}. Received: {transport}.", code="INVALID_ARGUMENT"
            )
        return cls(_TRANSPORTS[transport](server, timeout_s=timeout_s))

    def predict(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        *,
        signature: str = EXAMPLES_SIGNATURE,
        version: int | None = None,
    ) -> dict[str, np.ndarray]:
        """Sends one request.

        Args:
            model: name of the model.
            inputs: one array for each input of the signature; strings as object arrays of bytes.
            signature: name of the signature.
            version: version of the model; None is the latest.

        Returns:
            One array for each output; strings as object arrays of bytes.

        Raises:
            AskError: the server said no, or can't be reached; carries the code.
            TensorError: an input whose dtype can't be sent.
        """
        return self._transport.predict(model, inputs, signature=signature, version=version)

    def classify_images(self, model: str, images: Sequence[bytes], *, version: int | None = None) -> list[Prediction]:
        """Classifies encoded images with a model that keeps Roadworthy's contract, in one request.

        Args:
            model: name of the model.
            images: bytes of JPEG or PNG files.
            version: version of the model; None is the latest.

        Returns:
            One prediction an image, in order.

        Raises:
            AskError: the server said no, or can't be reached; carries the code.
        """
        if not images:
            return []
        batch = np.empty(len(images), dtype=object)
        batch[:] = list(images)
        answer = self.predict(model, {IMAGE_INPUT: batch}, signature=IMAGE_SIGNATURE, version=version)
        if not {SCORES, LABEL} <= answer.keys():
            raise AskError(f"Model {model} must answer {SCORES} and {LABEL}. Received: {sorted(answer)}.")
        return [
            Prediction(label.decode(), float(scores.max()), scores)
            for label, scores in zip(answer[LABEL], answer[SCORES], strict=True)
        ]

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
