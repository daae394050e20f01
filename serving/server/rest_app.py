"""TF Serving's REST API as a Starlette application: predict, status and metadata."""

import re
from collections.abc import Callable
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from roadworthy.serving import protos
from roadworthy.serving.json_tensors import parse_json, read_inputs, write_json, write_outputs
from roadworthy.serving.server.describe import model_metadata, model_status
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.predict import answer
from roadworthy.serving.status import RequestError, http_status

# The same bound as over gRPC.
MAX_BODY_BYTES: Final = 128 * 1024 * 1024

# Upstream: tensorflow_serving/model_servers/http_rest_api_handler.cc. Starlette has URL-decoded the path before.
_TARGET: Final = r"/v1/models/(?P<model>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_ASK: Final = re.compile(_TARGET + r":(?P<method>predict|classify|regress)", re.IGNORECASE)
_DESCRIBE: Final = re.compile(_TARGET + r"(?P<metadata>/metadata)?", re.IGNORECASE)
_BARE: Final = re.compile(r"/v1/models/?", re.IGNORECASE)
_PREFIX: Final = "/v1/models/"
_INT64_MAX: Final = 2**63 - 1


def rest_app(manager: Manager) -> Starlette:
    """The application that answers for what a manager serves."""

    async def ask(request: Request) -> Response:
        return await _respond(lambda body: _ask(manager, request.url.path, body), request)

    async def describe(request: Request) -> Response:
        return await _respond(lambda _: _describe(manager, request.url.path), request)

    return Starlette(
        routes=[
            # Paths are matched without regard to case, which Starlette's own routes can't.
            Route("/{path:path}", ask, methods=["POST"]),
            Route("/{path:path}", describe, methods=["GET"]),
        ],
        exception_handlers={405: _other_method},
    )


async def _respond(handle: Callable[[bytes], Any], request: Request) -> Response:
    try:
        body = await _read_body(request)
        # Models answer in the worker threads; the event loop only moves bytes.
        return _json(await run_in_threadpool(handle, body))
    except RequestError as error:
        return _json({"error": str(error)}, status=http_status(error.code))


async def _read_body(request: Request) -> bytes:
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RequestError("Compressed request bodies are not supported yet; send it plain.", code="UNIMPLEMENTED")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise RequestError(
                    f"A request must have at most {MAX_BODY_BYTES:,} bytes. Received: more.", code="RESOURCE_EXHAUSTED"
                )
    except ClientDisconnect as error:
        raise RequestError("The client went away.", code="CANCELLED") from error
    return bytes(body)


def _ask(manager: Manager, path: str, body: bytes) -> Any:
    target = _matched(_ASK, "POST", path)
    if target["method"].lower() != "predict":
        raise RequestError(f"{target['method']} is not supported yet; use predict.", code="UNIMPLEMENTED")
    document = parse_json(body)
    if not isinstance(document, dict):
        raise RequestError(f"Request must be a JSON object. Received: {type(document).__name__}.")
    answered = answer(
        manager,
        model=target["model"],
        version=_version(target),
        signature=_signature_name(document),
        read_inputs=lambda signature: read_inputs(document, signature),
        no_signature='Serving signature name: "{}" not found in signature def',
    )
    return write_outputs(answered.outputs, by_row="instances" in document)


def _describe(manager: Manager, path: str) -> Any:
    if _BARE.fullmatch(path):
        raise RequestError("Missing model name in request.")
    target = _matched(_DESCRIBE, "GET", path)
    if not target["metadata"]:
        return _as_dict(model_status(manager, target["model"], _version(target)))
    response = model_metadata(manager, target["model"], _version(target))
    signatures = protos.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    # Upstream unwraps the Any, so no "@type" shows.
    return {"model_spec": _as_dict(response.model_spec), "metadata": {"signature_def": _as_dict(signatures)}}


def _as_dict(message: Any) -> dict[str, Any]:
    return MessageToDict(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        descriptor_pool=protos.POOL,
    )


def _matched(pattern: re.Pattern[str], method: str, path: str) -> re.Match[str]:
    target = pattern.fullmatch(path)
    if target is None:
        code = "INVALID_ARGUMENT" if path.lower().startswith(_PREFIX) else "NOT_FOUND"
        raise RequestError(f"Malformed request: {method} {path}", code=code)
    if target["label"]:
        raise RequestError("Version labels are not supported yet; ask for a version by number.", code="UNIMPLEMENTED")
    return target


def _version(target: re.Match[str]) -> int | None:
    if target["version"] is None:
        return None
    # Longer digits are no int64, and Python refuses to convert very many.
    digits = target["version"].lstrip("0") or "0"
    if len(digits) > len(str(_INT64_MAX)) or int(digits) > _INT64_MAX:
        raise RequestError(f"Failed to convert version: {target['version'][:40]} to numeric.")
    return int(digits)


def _signature_name(document: dict[str, Any]) -> str:
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise RequestError(f'"signature_name" must be a string. Received: {type(name).__name__}.')
    return name


async def _other_method(request: Request, _: Exception) -> Response:
    return _json({"error": f"Malformed request: {request.method} {request.url.path}"}, status=405)


def _json(body: Any, *, status: int = 200) -> Response:
    return Response(write_json(body), status_code=status, media_type="application/json")
