"""Who sees a request before any work is done and once it is answered: for tokens, metrics, logs and traces.

Both transports tell the same three moments of every request, in this order: `arrived`, `asked`, `done`. A request that
is refused at one of the first two ends at once, and `done` is told of it as of any other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final

import numpy as np

from roadworthy.serving.status import RequestError

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(slots=True)
class Call:
    """One request, filled in as it is understood.

    Attributes:
        transport: ``grpc`` or ``rest``.
        method: ``Predict``, ``Classify``, ``Regress``, ``MultiInference``, ``GetModelMetadata``, ``GetModelStatus`` or
            ``HandleReloadConfigRequest``; of any other route, its path.
        model: the model asked for; empty where the request names none, and until `asked`.
        peer: address of the client as HOST:PORT, or ``unix``.
        headers: of the request, names in small letters; gRPC's metadata are its headers.
        answer_headers: what observers add to the answer's; of an answer that is refused too.
        version: the version that answered.
        signature: the signature that answered.
        inputs: what the model was given, of a Predict request.
        outputs: what it gave.
        messages: request and answer of Classify, Regress and MultiInference.
        code: gRPC name of how it ended.
        seconds: from the head of the request to the answer, without its sending.
        model_seconds: of those, in the model, what it waits for its batch or its interpreter included.
        request_bytes: length of the body, as it came.
        response_bytes: length of the answer.
        notes: whatever observers keep of this request, by a key of their own.
    """

    transport: str
    method: str
    model: str = ""
    peer: str = ""
    headers: Headers = ()
    answer_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    version: int | None = None
    signature: str = ""
    inputs: Mapping[str, np.ndarray] | None = None
    outputs: Mapping[str, np.ndarray] | None = None
    messages: tuple[Any, Any] | None = None
    code: str = "OK"
    seconds: float = 0.0
    model_seconds: float = 0.0
    request_bytes: int = 0
    response_bytes: int = 0
    notes: dict[object, Any] = field(default_factory=dict)
    started: float = field(default_factory=perf_counter, repr=False)

    def header(self, name: bytes) -> str | None:
        """The first header of that name, which is in small letters; None when there is none."""
        return next((value.decode("latin-1") for given, value in self.headers if given == name), None)


class Observer:
    """Whoever wants to know of requests overrides the moments that matter; each must be quick and thread-safe."""

    def arrived(self, call: Call) -> None:
        """The head of a request is there: peer, headers and method are known, its body is not read.

        Raises:
            RequestError: the request is refused.
        """

    def asked(self, call: Call) -> None:
        """The request is parsed: its model is known, no work is done yet. May run in another thread than the others.

        Raises:
            RequestError: the request is refused.
        """

    def done(self, call: Call) -> None:
        """The request is answered or refused; everything of `call` is known."""


class Observers:
    """All observers of a server; a moment that nobody overrides costs nothing."""

    def __init__(self, observers: Sequence[Observer] = (), *, now: Callable[[], float] = perf_counter) -> None:
        self._arrived = _overriding(observers, "arrived")
        self._asked = _overriding(observers, "asked")
        self._done = _overriding(observers, "done")
        self._now = now

    def arrived(self, call: Call) -> None:
        """Tells of the head of a request.

        Raises:
            RequestError: an observer refuses it.
        """
        for tell in self._arrived:
            tell(call)

    def asked(self, call: Call) -> None:
        """Tells of a parsed request.

        Raises:
            RequestError: an observer refuses it.
        """
        for tell in self._asked:
            tell(call)

    def done(self, call: Call, error: BaseException | None = None) -> None:
        """Tells how a request ended."""
        if self._done:
            call.code = "OK" if error is None else code_of(error)
            call.seconds = self._now() - call.started
            for tell in self._done:
                tell(call)


def code_of(error: BaseException) -> str:
    """The gRPC name of what a failure is to a client; INTERNAL for what is no fault of the request."""
    if isinstance(error, RequestError):
        return error.code
    return "DEADLINE_EXCEEDED" if isinstance(error, TimeoutError) else "INTERNAL"


def _overriding(observers: Sequence[Observer], moment: str) -> tuple[Callable[[Call], None], ...]:
    return tuple(
        getattr(observer, moment)
        for observer in observers
        if getattr(type(observer), moment) is not getattr(Observer, moment)
    )


NOBODY: Final = Observers()
