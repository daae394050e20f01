"""All that a client does save moving bytes; threads and asyncio share it."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final

import numpy as np
from google.protobuf.message import DecodeError

from roadworthy.serving.client.answers import Outputs, Prediction, ScoredLabel, VersionStatus
from roadworthy.serving.client.errors import AskError, InvalidRequest, UnreadableAnswer, error_of
from roadworthy.serving.client.options import Options, check_timeout
from roadworthy.serving.client.retry import persist
from roadworthy.serving.client.steps import MAX_MESSAGE_BYTES, Exchange, Reply, Steps, T
from roadworthy.serving.client.tensors import as_features, as_tensors
from roadworthy.serving.client.wire import Examples, Target, Wire
from roadworthy.serving.contract import IMAGE_INPUT, IMAGE_SIGNATURE, LABEL, SCORES
from roadworthy.serving.servables.base import Signature
from roadworthy.serving.status import RequestError
from roadworthy.serving.tensors import TensorError

# Imported when it is chosen: who asks over REST need not load gRPC.
_WIRES: Final = {
    "grpc": ("roadworthy.serving.client.grpc_wire", "GrpcWire"),
    "rest": ("roadworthy.serving.client.rest_wire", "RestWire"),
}
# What reading an answer raises that isn't what it should be.
_UNREADABLE: Final = (
    RequestError, TensorError, DecodeError, LookupError, TypeError, AttributeError, ValueError
)  # fmt: skip


class Asker:
    """Turns questions into steps; see `roadworthy.serving.client.Client` for what each asks."""

    def __init__(self, options: Options) -> None:
        self.options = options
        module, name = _WIRES[options.transport]
        self._wire: Wire = getattr(import_module(module), name)()
        self._closed = False

    def predict(
        self, target: Target, inputs: Any, signature: str, outputs: Sequence[str], timeout_s: float | None
    ) -> Steps[Outputs]:
        """Steps to a model's outputs."""
        return self._steps(target, self._predict(target, inputs, signature, outputs), timeout_s)

    def classify_images(
        self, target: Target, images: Sequence[bytes], timeout_s: float | None
    ) -> Steps[list[Prediction]]:
        """Steps to a prediction for each image."""
        return self._steps(target, self._classify_images(target, images), timeout_s)

    def classify(
        self, target: Target, examples: Sequence[Mapping[str, Any]], context: Any, signature: str,
        timeout_s: float | None,
    ) -> Steps[list[list[ScoredLabel]]]:  # fmt: skip
        """Steps to the classes of each example."""
        return self._steps(target, self._wire.classify(target, signature, _examples(examples, context)), timeout_s)

    def regress(
        self, target: Target, examples: Sequence[Mapping[str, Any]], context: Any, signature: str,
        timeout_s: float | None,
    ) -> Steps[np.ndarray]:  # fmt: skip
        """Steps to a number for each example."""
        return self._steps(target, self._wire.regress(target, signature, _examples(examples, context)), timeout_s)

    def metadata(self, target: Target, timeout_s: float | None) -> Steps[dict[str, Signature]]:
        """Steps to the signatures."""
        return self._steps(target, self._wire.metadata(target), timeout_s)

    def status(self, target: Target, timeout_s: float | None) -> Steps[list[VersionStatus]]:
        """Steps to the states of the versions."""
        return self._steps(target, self._wire.status(target), timeout_s)

    def close(self) -> None:
        """Answers no more questions."""
        self._closed = True

    def _steps(self, target: Target, exchange: Exchange[T], timeout_s: float | None) -> Steps[T]:
        if self._closed:
            raise InvalidRequest(
                "A client must be open when it is asked. Received: a call after close().", code="FAILED_PRECONDITION"
            )

        def error(reply: Reply, attempts: int) -> AskError:
            message = self.options.without_token(reply.message)
            return error_of(reply.code, message, server=self.options.server, model=target.model, attempts=attempts)

        return persist(
            self._checked(target, exchange),
            retry=self.options.retry,
            timeout_s=self.options.timeout_s if timeout_s is None else check_timeout(timeout_s),
            error=error,
        )

    def _checked(self, target: Target, exchange: Exchange[T]) -> Exchange[T]:
        """The same exchange, in which no message is too large and an answer that can't be read is an `AskError`."""
        try:
            message = next(exchange)
            while True:
                if len(message.body) > MAX_MESSAGE_BYTES:
                    raise InvalidRequest(
                        f"A request must have at most {MAX_MESSAGE_BYTES:,} bytes. Received: {len(message.body):,}. "
                        "Send fewer or smaller inputs at a time.",
                        code="INVALID_ARGUMENT",
                    )
                message = exchange.send((yield message))
        except StopIteration as done:
            value: T = done.value
            return value
        except _UNREADABLE as error:
            said = self.options.without_token(f"{type(error).__name__}: {error}")
            raise UnreadableAnswer(
                f"{self.options.server}: model {target.model} must answer as TF Serving does, with the outputs it "
                f"announces. Received: {said}",
                code="INTERNAL",
            ) from error

    def _predict(self, target: Target, inputs: Any, signature: str, outputs: Sequence[str]) -> Exchange[Outputs]:
        if not isinstance(inputs, Mapping):
            inputs = {(yield from self._only_input(target, signature)): inputs}
        return (yield from self._wire.predict(target, signature, as_tensors(inputs), tuple(outputs)))

    def _only_input(self, target: Target, signature: str) -> Exchange[str]:
        known = yield from self._wire.signature(target, signature)
        if len(known.inputs) != 1:
            raise InvalidRequest(
                f"Inputs must be named where there are several, here {sorted(known.inputs)}. Received: no names.",
                code="INVALID_ARGUMENT",
            )
        return next(iter(known.inputs))

    def _classify_images(self, target: Target, images: Sequence[bytes]) -> Exchange[list[Prediction]]:
        if not images:
            return []
        answer = yield from self._predict(target, {IMAGE_INPUT: list(images)}, IMAGE_SIGNATURE, (SCORES, LABEL))
        return [
            Prediction(label.decode(), float(scores.max()), scores)
            for label, scores in zip(answer[LABEL], answer[SCORES], strict=True)
        ]


def _examples(examples: Sequence[Mapping[str, Any]], context: Mapping[str, Any] | None) -> Examples:
    return Examples([as_features(one) for one in examples], None if context is None else as_features(context))
