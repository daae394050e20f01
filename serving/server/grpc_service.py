"""TF Serving's PredictionService and ModelService over gRPC: from a request's message to the answer's."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from google.protobuf.message import DecodeError

from roadworthy.serving import protos
from roadworthy.serving.server import grpc_wire, profiler
from roadworthy.serving.server.burst import Steps, Tell, one_step
from roadworthy.serving.server.describe import model_metadata, model_status
from roadworthy.serving.server.health import Health
from roadworthy.serving.server.incoming import Incoming
from roadworthy.serving.server.inference import classify, multi_inference, regress
from roadworthy.serving.server.observe import NOBODY, Call, Observers
from roadworthy.serving.server.predict import answer
from roadworthy.serving.server.served import Served
from roadworthy.serving.server.work import Kind, Stop, Work, size_class
from roadworthy.serving.status import CODE_NUMBERS, RequestError
from roadworthy.serving.tensors import from_protos, to_proto

_LOG: Final = logging.getLogger(__name__)
# Upstream takes messages of any size; a bound keeps one client from taking all memory.
MAX_MESSAGE_BYTES: Final = 128 * 1024 * 1024
MAX_STREAMS: Final = 256
# Longer ones are parsed in a thread.
_SMALL_BYTES: Final = 64 * 1024
# Of the wire format: tag of field 1 with a length, and the longest length that is one byte.
_FIELD_1, _ONE_BYTE_LENGTH = 0x0A, 0x7F
_METADATA_FIELD: Final = "signature_def"
_UNLIMITED: Final = 2**31 - 1


class Answering(Protocol):
    """An answer that is on its way.

    Attributes:
        endless: there are several messages, until the client has enough.
    """

    endless: bool

    def begin(self, tell: Tell[bytes]) -> None:
        """Tells the answer, or why there is none, on the event loop.

        Raises:
            RequestError: it can't be had now.
        """
        ...

    def stop(self) -> None:
        """Nobody wants it any more."""
        ...


@dataclass(frozen=True)
class _Method:
    name: str
    request_class: Any
    handle: Callable[[Served, Any, Call], Steps[Any]]


class GrpcService:
    """Answers what the connections of all clients bring.

    Attributes:
        observers: told of every request.
        max_streams: most requests a client may have open over one connection.
        max_age_ms: after so long a client is asked to connect anew; None is never.
    """

    def __init__(
        self,
        served: Served,
        work: Work,
        incoming: Incoming,
        *,
        observers: Observers = NOBODY,
        health: Health | None = None,
        profiling: bool = True,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        max_streams: int = MAX_STREAMS,
        max_age_ms: int | None = None,
    ) -> None:
        """Answers for what is served.

        Args:
            served: what is served.
            work: where.
            incoming: counts what is not whole yet.
            observers: told of every request.
            health: answers gRPC's health service; None is no such service.
            profiling: answer TensorFlow's profiler.
            max_message_bytes: longest request taken, unpacked.
            max_streams: most requests a client may have open over one connection.
            max_age_ms: after so long a client is asked to connect anew; None is never.
        """
        self.observers = observers
        self.max_streams = max_streams
        self.max_age_ms = max_age_ms
        self._served = served
        self._work = work
        self._incoming = incoming
        self._health = health
        self._methods = _METHODS if profiling else {path: _METHODS[path] for path in _METHODS.keys() - _PROFILER.keys()}
        self._max_message_bytes = max_message_bytes

    def name_of(self, path: bytes) -> str:
        """What observers know a method by: its own name, or the path of one that isn't there."""
        method = self._methods.get(path)
        return method.name if method is not None else path.decode("latin-1")

    def arrived(self, path: bytes, call: Call) -> None:
        """Lets a request in, whose head alone is there.

        Raises:
            RequestError: UNIMPLEMENTED, no such method; or what an observer raises.
        """
        if path not in self._methods and not (self._health and self._health.answers(path)):
            raise RequestError("Method not found!", code="UNIMPLEMENTED")
        self.observers.arrived(call)

    def take(self, body: bytearray, added: int) -> None:
        """Counts what came of a request.

        Raises:
            RequestError: RESOURCE_EXHAUSTED, it is or says that it will be too long, or all of them together are.
        """
        self._incoming.take(added)
        announced = grpc_wire.announced_bytes(body) or 0
        grpc_wire.check_length(max(announced, len(body) - grpc_wire.PREFIX.size), self._max_message_bytes)

    def let_go(self, size_bytes: int) -> None:
        """Counts what is no longer coming in."""
        self._incoming.let_go(size_bytes)

    def answer(self, path: bytes, call: Call, body: bytearray, encoding: str) -> bytes | Answering:
        """Answers a request that is whole.

        Args:
            path: which method; one that `arrived` let in.
            call: what observers are told.
            body: all that came.
            encoding: of the message, if it is compressed.

        Returns:
            The answer's message, or what will tell it.

        Raises:
            RequestError: the request can't be answered; carries the code.
        """
        message = grpc_wire.unframed(body, encoding=encoding, max_bytes=self._max_message_bytes)
        call.request_bytes = len(message)
        method = self._methods.get(path)
        if method is None:
            assert self._health is not None
            return self._health.answer(path, message)
        return _Later(self._work, *self._job(method, call, message))

    def _job(self, method: _Method, call: Call, message: bytes) -> tuple[Kind | None, str, Steps[bytes]]:
        """Which other requests cost as much, the model it is for, and what there is to do."""
        if len(message) > _SMALL_BYTES:
            return None, _announced_model(message), self._respond(method, call, lambda: _parsed(method, message))
        request = _parsed(method, message)
        spec = _spec_of(request)
        # What names no model, such as a reload, is none of the many requests that are alike.
        kind = None if spec is None else (method.name, bytes(spec.SerializeToString()), size_class(len(message)))
        return kind, _model_of(request), self._respond(method, call, lambda: request)

    def _respond(self, method: _Method, call: Call, parsed: Callable[[], Any]) -> Steps[bytes]:
        request = parsed()
        call.model = _model_of(request)
        self.observers.asked(call)
        response = yield from method.handle(self._served, request, call)
        answered: bytes = response.SerializeToString()
        return answered


_LIMITS: Final = {
    "grpc.max_receive_message_length": "max_message_bytes",
    "grpc.max_concurrent_streams": "max_streams",
    "grpc.max_connection_age_ms": "max_age_ms",
}


def limits_of(options: Mapping[str, str | int]) -> dict[str, int]:
    """The limits that gRPC's channel arguments set; others are told to have no effect, -1 is the most there is."""
    limits: dict[str, int] = {}
    for name, value in options.items():
        if name in _LIMITS and isinstance(value, int):
            limits[_LIMITS[name]] = value if value >= 0 else _UNLIMITED
        else:
            _LOG.warning(
                "channel argument %s=%s has no effect here; those that have: %s", name, value, ", ".join(_LIMITS)
            )
    return limits


class _Later:
    """An answer that is to be worked on."""

    endless = False

    def __init__(self, work: Work, kind: Kind | None, model: str, steps: Steps[bytes]) -> None:
        self._work, self._kind, self._model, self._steps = work, kind, model, steps
        self._stop: Stop | None = None

    def begin(self, tell: Tell[bytes]) -> None:
        self._stop = self._work.begin(self._kind, self._steps, tell, model=self._model)

    def stop(self) -> None:
        if self._stop is not None:
            self._stop()


def _parsed(method: _Method, message: bytes) -> Any:
    try:
        return method.request_class.FromString(message)
    except DecodeError as error:
        name = method.request_class.DESCRIPTOR.full_name
        raise RequestError(f"A request must be a {name}. Received: {error}.") from error


def _announced_model(message: bytes) -> str:
    """The model of a request that is too long to be parsed at once; empty where it doesn't begin with a short spec.

    The spec is field 1, which writers of Protocol Buffers put first. Only where the request waits depends on it.
    """
    tag, length = message[:2]
    if tag != _FIELD_1 or length > _ONE_BYTE_LENGTH:
        return ""
    try:
        return str(protos.ModelSpec.FromString(message[2 : 2 + length]).name)
    except DecodeError:
        return ""


def _spec_of(request: Any) -> Any:
    """The model spec a request has first, if it has one."""
    if isinstance(request, protos.MultiInferenceRequest):
        return request.tasks[0].model_spec if request.tasks else None
    return getattr(request, "model_spec", None)


def _model_of(request: Any) -> str:
    spec = _spec_of(request)
    return "" if spec is None else str(spec.name)


def _predict(served: Served, request: Any, call: Call) -> Steps[Any]:
    answered = yield from answer(
        served,
        spec=request.model_spec,
        read_inputs=lambda _: from_protos(request.inputs),
        output_filter=request.output_filter,
        call=call,
    )
    response = protos.PredictResponse()
    spec = response.model_spec
    spec.name = request.model_spec.name
    spec.version.value = answered.version
    spec.signature_name = answered.signature
    for name, array in answered.outputs.items():
        response.outputs[name].CopyFrom(to_proto(array))
    return response


def _metadata(served: Served, request: Any, _: Call) -> Any:
    if not request.metadata_field:
        raise RequestError("GetModelMetadataRequest must specify at least one metadata_field")
    for name in request.metadata_field:
        if name != _METADATA_FIELD:
            raise RequestError(f"Metadata field {name} is not supported")
    return model_metadata(served, request.model_spec)


def _status(served: Served, request: Any, _: Call) -> Any:
    return model_status(served, request.model_spec)


def _reload(served: Served, request: Any, _: Call) -> Any:
    """Serves the models of the request from now on; what became of it stands in the response, as upstream has it."""
    response = protos.ReloadConfigResponse()
    try:
        if request.config.WhichOneof("config") != "model_config_list":
            raise RequestError("ReloadConfigRequest must have a config with a model_config_list. Received: none.")
        served.reload_asked(request.config)
    except RequestError as error:
        response.status.error_code = CODE_NUMBERS[error.code]
        response.status.error_message = str(error)
    return response


def _whole(handle: Callable[[Served, Any, Call], Any]) -> Callable[[Served, Any, Call], Steps[Any]]:
    """A method that has no parts."""
    return lambda served, request, call: one_step(lambda: handle(served, request, call))


def _methods(service: str, *methods: _Method) -> dict[bytes, _Method]:
    return {f"/{service}/{method.name}".encode(): method for method in methods}


_PROFILER: Final = _methods(
    profiler.SERVICE,
    _Method("Profile", protos.ProfileRequest, _whole(lambda _served, request, _call: profiler.profile(request))),
)
_METHODS: Final[Mapping[bytes, _Method]] = {
    **_methods(
        protos.PREDICTION_SERVICE,
        _Method("Predict", protos.PredictRequest, _predict),
        _Method("GetModelMetadata", protos.GetModelMetadataRequest, _whole(_metadata)),
        _Method("Classify", protos.ClassificationRequest, _whole(classify)),
        _Method("Regress", protos.RegressionRequest, _whole(regress)),
        _Method("MultiInference", protos.MultiInferenceRequest, _whole(multi_inference)),
    ),
    **_methods(
        protos.MODEL_SERVICE,
        _Method("GetModelStatus", protos.GetModelStatusRequest, _whole(_status)),
        _Method("HandleReloadConfigRequest", protos.ReloadConfigRequest, _whole(_reload)),
    ),
    **_PROFILER,
}
