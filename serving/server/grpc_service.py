"""TF Serving's PredictionService and ModelService over gRPC."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc

from roadworthy.serving import protos
from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.describe import model_metadata, model_status
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.predict import answer
from roadworthy.serving.status import RequestError
from roadworthy.serving.tensors import from_proto, to_proto

# Upstream takes messages of any size; a bound keeps one client from taking all memory.
MAX_MESSAGE_BYTES: Final = 128 * 1024 * 1024
_WORKERS: Final = 16
# Requests beyond these are refused with RESOURCE_EXHAUSTED rather than piled up in memory.
_MAX_CONCURRENT_REQUESTS: Final = 128
_METADATA_FIELD: Final = "signature_def"


def grpc_server(manager: Manager, *, address: str) -> tuple[grpc.Server, int]:
    """A server that is bound and not started yet, and its port.

    Args:
        manager: what is served.
        address: HOST:PORT; port 0 is any free one.

    Raises:
        ServeError: the address can't be bound.
    """
    server = grpc.server(
        ThreadPoolExecutor(_WORKERS, thread_name_prefix="grpc"),
        handlers=_handlers(manager),
        options=[
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            # Otherwise a second server would share the port in silence and get half of the requests.
            ("grpc.so_reuseport", 0),
        ],
        maximum_concurrent_rpcs=_MAX_CONCURRENT_REQUESTS,
    )
    try:
        return server, server.add_insecure_port(address)
    except RuntimeError as error:
        raise ServeError(f"gRPC must be able to listen on {address}. Received: {error}") from error


def _handlers(manager: Manager) -> list[grpc.GenericRpcHandler]:
    return [
        grpc.method_handlers_generic_handler(
            protos.PREDICTION_SERVICE,
            {
                "Predict": _method(lambda request: _predict(manager, request), protos.PredictRequest),
                "GetModelMetadata": _method(
                    lambda request: _metadata(manager, request), protos.GetModelMetadataRequest
                ),
                "Classify": _method(_unimplemented("Classify"), protos.ClassificationRequest),
                "Regress": _method(_unimplemented("Regress"), protos.RegressionRequest),
                "MultiInference": _method(_unimplemented("MultiInference"), protos.MultiInferenceRequest),
            },
        ),
        grpc.method_handlers_generic_handler(
            protos.MODEL_SERVICE,
            {
                "GetModelStatus": _method(lambda request: _status(manager, request), protos.GetModelStatusRequest),
                "HandleReloadConfigRequest": _method(
                    _unimplemented("HandleReloadConfigRequest"), protos.ReloadConfigRequest
                ),
            },
        ),
    ]


def _method(handle: Callable[[Any], Any], request_class: Any) -> grpc.RpcMethodHandler:
    def call(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return handle(request)
        except RequestError as error:
            return context.abort(grpc.StatusCode[error.code], str(error))

    return grpc.unary_unary_rpc_method_handler(
        call, request_deserializer=request_class.FromString, response_serializer=_serialize
    )


def _serialize(message: Any) -> bytes:
    return bytes(message.SerializeToString())


def _predict(manager: Manager, request: Any) -> Any:
    model, version = _asked(request.model_spec)
    answered = answer(
        manager,
        model=model,
        version=version,
        signature=request.model_spec.signature_name,
        read_inputs=lambda _: {name: from_proto(tensor) for name, tensor in request.inputs.items()},
        output_filter=request.output_filter,
    )
    response = protos.PredictResponse()
    response.model_spec.name = model
    response.model_spec.version.value = answered.version
    response.model_spec.signature_name = answered.signature
    for name, array in answered.outputs.items():
        response.outputs[name].CopyFrom(to_proto(array))
    return response


def _metadata(manager: Manager, request: Any) -> Any:
    if list(request.metadata_field) != [_METADATA_FIELD]:
        raise RequestError(f"metadata_field must be [{_METADATA_FIELD}]. Received: {list(request.metadata_field)}.")
    return model_metadata(manager, *_asked(request.model_spec))


def _status(manager: Manager, request: Any) -> Any:
    return model_status(manager, *_asked(request.model_spec))


def _asked(spec: Any) -> tuple[str, int | None]:
    """Name and version of a model spec; None is the latest."""
    if not spec.name:
        raise RequestError("Missing ModelSpec: model_spec.name must be the name of a model. Received: an empty one.")
    if spec.version_label:
        raise RequestError("version_label is not supported yet; ask for a version by number.", code="UNIMPLEMENTED")
    return spec.name, spec.version.value if spec.HasField("version") else None


def _unimplemented(method: str) -> Callable[[Any], Any]:
    def refuse(_: Any) -> Any:
        raise RequestError(f"{method} is not supported yet; use Predict.", code="UNIMPLEMENTED")

    return refuse
