"""An endpoint of Vertex AI asked like a model server: the bytes of files in, outputs out."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np

from roadworthy.serving.client import InvalidRequest, Outputs
from roadworthy.serving.client.retry import DEFAULT_RETRY, Retry
from roadworthy.serving.contract import IMAGE_INPUT, IMAGE_SIGNATURE, LABEL, SCORES
from roadworthy.serving.errors import AskError
from roadworthy.serving.servables.base import Signature, TensorSpec
from roadworthy.serving.vertex.ask import MAX_REQUEST_BYTES, ask_endpoint
from roadworthy.serving.vertex.ask_signature import ask_signature
from roadworthy.serving.vertex.clients import Clients
from roadworthy.serving.vertex.place import Place

# What base64 and the message around it add to an image, as shares of the bytes.
_ROOM: Final = 0.7

Answer = TypeVar("Answer")


class VertexClient:
    """Asks one endpoint; takes and gives what `roadworthy.serving.client.Client` does for signatures of one string.

    A request that holds more than Vertex AI takes is sent in parts.
    """

    def __init__(
        self,
        place: Place,
        endpoint: str,
        *,
        signature: str = IMAGE_SIGNATURE,
        timeout_s: float = 30.0,
        retry: Retry = DEFAULT_RETRY,
    ) -> None:
        """Asks nothing yet.

        Args:
            place: where.
            endpoint: its id or its resource name.
            signature: the one that `metadata` tells of, since endpoints tell nothing of their models.
            timeout_s: longest time of a request, > 0.
            retry: how often a request is sent again that met UNAVAILABLE or RESOURCE_EXHAUSTED.
        """
        self._clients = Clients(place)
        self._endpoint = endpoint if "/" in endpoint else place.endpoint(endpoint)
        self._signature, self._timeout_s, self._retry = signature, timeout_s, retry

    def metadata(self, model: str, *, version: int | None = None, label: str | None = None) -> dict[str, Signature]:
        """The signature that was named, taken to have one string for its input; outputs are known of images alone."""
        _check_by_traffic(version, label)
        outputs = {SCORES: TensorSpec(SCORES, "float32", (None, None)), LABEL: TensorSpec(LABEL, "string", (None,))}
        known = outputs if self._signature == IMAGE_SIGNATURE else {}
        return {self._signature: Signature({IMAGE_INPUT: TensorSpec(IMAGE_INPUT, "string", (None,))}, known)}

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Sequence[bytes]],
        *,
        signature: str = IMAGE_SIGNATURE,
        outputs: Sequence[str] = (),
        version: int | None = None,
        label: str | None = None,
    ) -> Outputs:
        """Asks about images, or by another signature of one string; the endpoint's traffic split chooses the version.

        Returns:
            For images ``scores`` float32[images, classes] and ``label`` object[images] of bytes; else every output,
            named `ONLY_OUTPUT` if it is the only one.

        Raises:
            AskError: the request was refused, or asks for a version or has several inputs.
        """
        _check_by_traffic(version, label)
        if len(inputs) != 1:
            raise InvalidRequest(
                f"An endpoint at Vertex AI is asked by one input of strings. Received: {', '.join(inputs) or 'none'}.",
                code="INVALID_ARGUMENT",
            )
        ((_, strings),) = inputs.items()
        if signature != IMAGE_SIGNATURE:
            return _joined([self._ask_signature(part, signature) for part in _parts(strings)])
        found = [one for part in _parts(strings) for one in self._ask(part)]
        scores = np.array([one[SCORES] for one in found], np.float32)
        labels = np.array([str(one[LABEL]).encode() for one in found], object)
        return Outputs({SCORES: scores, LABEL: labels})

    def _ask(self, images: Sequence[bytes]) -> tuple[dict[str, Any], ...]:
        ask = partial(ask_endpoint, self._clients, self._endpoint, images, timeout_s=self._timeout_s)
        return self._retried(ask).predictions

    def _ask_signature(self, strings: Sequence[bytes], signature: str) -> Outputs:
        return self._retried(
            partial(
                ask_signature, self._clients, self._endpoint, strings, signature=signature, timeout_s=self._timeout_s
            )
        )

    def _retried(self, ask: Callable[[], Answer]) -> Answer:
        for attempt in range(1, self._retry.attempts + 1):
            try:
                return ask()
            except AskError as error:
                if not error.retryable or attempt == self._retry.attempts:
                    raise
            time.sleep(self._retry.pause_s(attempt, chance=random.random()))  # noqa: S311 no secret
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        """Nothing stays open that would not close by itself."""

    def __enter__(self) -> "VertexClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _check_by_traffic(version: int | None, label: str | None) -> None:
    if version is not None or label is not None:
        raise InvalidRequest(
            "Which version answers at Vertex AI is the traffic split's to say. Received: a version or a label. "
            "Leave it out; `roadworthy status` tells the split.",
            code="INVALID_ARGUMENT",
        )


def _joined(parts: Sequence[Outputs]) -> Outputs:
    """Rows of several requests, one below the other."""
    return Outputs({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _parts(images: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Images in requests that are short enough."""
    part: list[bytes] = []
    for image in images:
        if part and sum(map(len, part)) + len(image) > MAX_REQUEST_BYTES * _ROOM:
            yield part
            part = []
        part.append(image)
    if part:
        yield part
