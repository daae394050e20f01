"""TF Serving's REST API as an ASGI application: predict, classify, regress, status and metadata."""

import asyncio
import functools
import logging
import re
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from google.protobuf.json_format import MessageToDict

from roadworthy.serving import protos
from roadworthy.serving.json_examples import read_examples, write_classes, write_values
from roadworthy.serving.json_inputs import read_inputs
from roadworthy.serving.json_tensors import write_json, write_outputs
from roadworthy.serving.json_values import parse_json, quoted
from roadworthy.serving.server.burst import Steps, one_step
from roadworthy.serving.server.describe import model_metadata, model_status
from roadworthy.serving.server.incoming import Incoming
from roadworthy.serving.server.inference import classify, regress
from roadworthy.serving.server.observe import NOBODY, Call, Headers, Observers
from roadworthy.serving.server.predict import answer
from roadworthy.serving.server.rest_connection import Reply
from roadworthy.serving.server.served import Served
from roadworthy.serving.server.work import Kind, Work, size_class
from roadworthy.serving.status import RequestError, http_status

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# Where a route finds the `Call` in its scope, with what the observers noted of who asks.
CALL: Final = "roadworthy.call"
_LOG: Final = logging.getLogger(__name__)
# The same bound as over gRPC; of a body that came packed, unpacked.
MAX_BODY_BYTES: Final = 128 * 1024 * 1024

# Longer bodies are parsed in a thread.
_SMALL_BYTES: Final = 64 * 1024
# Upstream: tensorflow_serving/model_servers/http_rest_api_handler.cc. The path comes URL-decoded.
_TARGET: Final = r"/v1/models/(?P<model>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
# Of letters and digits only ASCII's: a Kelvin sign is no k, and Arabic digits are no version.
_FLAGS: Final = re.IGNORECASE | re.ASCII
_ASK: Final = re.compile(_TARGET + r":(?P<method>predict|classify|regress)", _FLAGS)
_DESCRIBE: Final = re.compile(_TARGET + r"(?P<metadata>/metadata)?", _FLAGS)
_BARE: Final = re.compile(r"/v1/models/?", _FLAGS)
# Of TF Serving's whole API; other paths are nobody's.
_PREFIX: Final = "/v1/"
_INT64_MAX: Final = 2**63 - 1
# zlib's window bits for gzip's header and trailer.
_GZIP_WINDOW: Final = 31
_OTHER_VERB: Final = 405
_JSON: Final = (b"content-type", b"application/json")


class RestApp:
    """The ASGI application that answers for the models of a server."""

    def __init__(
        self,
        served: Served,
        work: Work,
        incoming: Incoming,
        *,
        timeout_s: float = 30.0,
        max_body_bytes: int = MAX_BODY_BYTES,
        observers: Observers = NOBODY,
        routes: Mapping[str, Application] | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        """Answers for what is served.

        Args:
            served: what is served.
            work: where requests are worked on.
            incoming: counts what is not whole yet.
            timeout_s: longest time a request may take.
            max_body_bytes: longest body taken, unpacked.
            observers: told of every request.
            routes: other applications by their path, such as metrics; observers are told of these too.
            aliases: paths under which others are answered as well, such as those that Vertex AI asks for.
        """
        self._served = served
        self._work = work
        self._incoming = incoming
        self._timeout_s = timeout_s
        self._max_body_bytes = max_body_bytes
        self._observers = observers
        self._routes = dict(routes or {})
        self._aliases = dict(aliases or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        scope["path"] = self._aliases.get(scope["path"], scope["path"])
        call = Call("rest", scope["path"], peer=_peer_name(scope["client"]), headers=scope["headers"])
        route = self._routes.get(scope["path"])
        error: BaseException | None = None
        try:
            if route is not None:
                self._observers.arrived(call)
            else:
                async with asyncio.timeout(self._timeout_s):
                    body = await self._answer(scope, receive, call)
                await _send(send, 200, body, call)
        except Exception as raised:
            error = raised
            await _send(send, *self._told(raised, call), call)
        else:
            if route is not None:
                await route({**scope, CALL: call}, receive, send)
        finally:
            self._observers.done(call, error)

    def answer_soon(
        self,
        path: str,
        headers: Headers,
        client: tuple[str, int] | None,
        body: bytes,
        tell: Callable[[Reply], None],
    ) -> bool:
        """Answers a POST request that is whole in the loop's next turn, if those like it are quick.

        Args:
            path: decoded.
            headers: names in small letters.
            client: address and port; None over a unix socket.
            body: as it came.
            tell: told the answer, once, and not before this returns.

        Returns:
            Whether it will be answered.
        """
        path = self._aliases.get(path, path)
        kind = _kind("POST", path, body)
        if not self._work.is_quick(kind) or len(body) > self._max_body_bytes:
            return False
        call = Call("rest", path, peer=_peer_name(client), headers=headers)
        if call.header(b"content-encoding") is not None:
            return False

        def told(answered: bytes | None, error: BaseException | None) -> None:
            status, content = (200, answered or b"") if error is None else self._told(error, call)
            call.response_bytes = len(content)
            self._observers.done(call, error)
            tell((status, call.answer_headers, content))

        self._work.begin(kind, self._whole(path, body, call), told)
        return True

    def hurry(self) -> None:
        """Answers what `answer_soon` was given, now."""
        self._work.hurry()

    def _whole(self, path: str, body: bytes, call: Call) -> Steps[bytes]:
        """Answers a POST request that came at one go."""
        self._arrived(call, "POST", path)
        call.request_bytes = len(body)
        self._observers.asked(call)
        return (yield from _ask(self._served, path, body, call))

    async def _answer(self, scope: Scope, receive: Receive, call: Call) -> bytes:
        verb, path = scope["method"], scope["path"]
        self._arrived(call, verb, path)
        body = await _read_body(call, receive, self._incoming, max_bytes=self._max_body_bytes)
        call.request_bytes = len(body)
        self._observers.asked(call)
        if verb == "POST":
            steps = _ask(self._served, path, body, call)
        else:
            steps = one_step(functools.partial(_describe, self._served, path))
        return await self._work.run(_kind(verb, path, body), steps, model=call.model)

    def _arrived(self, call: Call, verb: str, path: str) -> None:
        """Fills in what the head of a request tells, and tells the observers of it."""
        if verb == "POST":
            asked: re.Match[str] | None = _ASK.fullmatch(path)
            call.method = asked["method"].capitalize() if asked else "Predict"
        elif verb in ("GET", "HEAD"):
            asked = _DESCRIBE.fullmatch(path)
            call.method = "GetModelMetadata" if asked and asked["metadata"] else "GetModelStatus"
        else:
            raise _OtherVerb(f"Malformed request: {verb} {path}", code="UNIMPLEMENTED")
        call.model = asked["model"] if asked else ""
        self._observers.arrived(call)

    def _told(self, error: BaseException, call: Call) -> tuple[int, bytes]:
        """Status and body of a request that failed."""
        if isinstance(error, _OtherVerb):
            return _OTHER_VERB, _error(str(error))
        if isinstance(error, RequestError):
            return http_status(error.code), _error(str(error))
        if isinstance(error, TimeoutError):
            return http_status("DEADLINE_EXCEEDED"), _error(f"Timed out after {self._timeout_s:g} s.")
        _LOG.error("%s %s failed", call.method, call.model, exc_info=error)
        return http_status("INTERNAL"), _error("The server failed; its log tells why.")


def _kind(verb: str, path: str, body: bytes) -> Kind | None:
    """Requests of one kind cost about the same; None for those that may cost anything."""
    return (verb, path, size_class(len(body))) if len(body) <= _SMALL_BYTES else None


class _OtherVerb(RequestError):
    """Neither GET nor POST."""


async def _send(send: Send, status: int, body: bytes, call: Call) -> None:
    call.response_bytes = len(body)
    headers = [_JSON, (b"content-length", b"%d" % len(body)), *call.answer_headers]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _read_body(call: Call, receive: Receive, incoming: Incoming, *, max_bytes: int) -> bytes:
    announced = call.header(b"content-length") or ""
    # The parser lets only a number through.
    if announced and int(announced) > max_bytes:
        raise _too_long(f"{int(announced):,}", max_bytes)
    encoding = (call.header(b"content-encoding") or "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise RequestError(f"A request's body must be plain or gzip. Received: {encoding}.", code="UNIMPLEMENTED")
    chunk, more = await _receive_chunk(receive)
    if not more and encoding == "identity" and len(chunk) <= max_bytes:
        return bytes(chunk)
    unpack = zlib.decompressobj(_GZIP_WINDOW) if encoding == "gzip" else None
    body, taken = bytearray(), 0
    try:
        while True:
            # One byte more than is allowed tells that there is more, however much a small chunk unpacks to.
            body += unpack.decompress(chunk, max_bytes + 1 - len(body)) if unpack else chunk
            added, taken = len(body) - taken, len(body)
            incoming.take(added)
            if taken > max_bytes:
                raise _too_long("more", max_bytes)
            if not more:
                break
            chunk, more = await _receive_chunk(receive)
    except zlib.error as error:
        raise RequestError(f"A gzip body must be whole. Received: {error}.") from error
    finally:
        incoming.let_go(taken)
    if unpack is not None and not unpack.eof:
        raise RequestError("A gzip body must be whole. Received: one that ends too early.")
    return bytes(body)


async def _receive_chunk(receive: Receive) -> tuple[bytes, bool]:
    """The next part of a body, and whether there are more."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise RequestError("The client went away.", code="CANCELLED")
    return message.get("body", b""), message.get("more_body", False)


def _too_long(received: str, max_bytes: int) -> RequestError:
    return RequestError(
        f"A request must have at most {max_bytes:,} bytes. Received: {received}.", code="RESOURCE_EXHAUSTED"
    )


def _ask(served: Served, path: str, body: bytes, call: Call) -> Steps[bytes]:
    target = _matched(_ASK, "POST", path)
    document = parse_json(body)
    if not isinstance(document, dict):
        raise RequestError(f"JSON Value: {quoted(document)} Is not object")
    answered = yield from _METHODS[target["method"].lower()](served, _spec(target, document), document, call)
    return write_json(answered)


def _predict(served: Served, spec: Any, document: dict[str, Any], call: Call) -> Steps[Any]:
    answered = yield from answer(
        served,
        spec=spec,
        read_inputs=lambda signature: read_inputs(document, signature),
        no_signature='Serving signature name: "{}" not found in signature def',
        call=call,
    )
    return write_outputs(answered.outputs, by_row="instances" in document)


def _classify(served: Served, spec: Any, document: dict[str, Any], call: Call) -> Steps[Any]:
    request = protos.ClassificationRequest(model_spec=spec)
    read_examples(document, request.input)
    yield
    response = classify(served, request, call)
    yield
    return write_classes(response.result)


def _regress(served: Served, spec: Any, document: dict[str, Any], call: Call) -> Steps[Any]:
    request = protos.RegressionRequest(model_spec=spec)
    read_examples(document, request.input)
    yield
    response = regress(served, request, call)
    yield
    return write_values(response.result)


_METHODS: Final = {"predict": _predict, "classify": _classify, "regress": _regress}


def _describe(served: Served, path: str) -> bytes:
    return write_json(_description(served, path))


def _description(served: Served, path: str) -> Any:
    if _BARE.fullmatch(path):
        raise RequestError("Missing model name in request.")
    target = _matched(_DESCRIBE, "GET", path)
    spec = _spec(target, {})
    if not target["metadata"]:
        return _as_dict(model_status(served, spec))
    response = model_metadata(served, spec)
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
    return target


def _spec(target: re.Match[str], document: dict[str, Any]) -> Any:
    """The `ModelSpec` of a path and, for the signature's name, a body."""
    spec = protos.ModelSpec(name=target["model"], signature_name=_signature_name(document))
    if target["version"] is not None:
        spec.version.value = _version(target["version"])
    if target["label"] is not None:
        spec.version_label = target["label"]
    return spec


def _version(given: str) -> int:
    # Longer digits are no int64, and Python refuses to convert very many.
    digits = given.lstrip("0") or "0"
    if len(digits) > len(str(_INT64_MAX)) or int(digits) > _INT64_MAX:
        raise RequestError(f"Failed to convert version: {given[:40]} to numeric.")
    return int(digits)


def _signature_name(document: dict[str, Any]) -> str:
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise RequestError(
            f"JSON Value: {quoted(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise RequestError(f'"signature_name" must be a text. Received: {error}.') from error
    return name


def text_page(text: Callable[[], Awaitable[str]], content_type: str) -> Application:
    """An application that shows a text, made anew for each request."""

    async def show(_: Scope, __: Receive, send: Send) -> None:
        body = (await text()).encode()
        headers = [(b"content-type", content_type.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return show


def _error(message: str) -> bytes:
    return write_json({"error": message})


def _peer_name(client: tuple[str, int] | None) -> str:
    if client is None:
        return "unix"
    host, port = client
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
