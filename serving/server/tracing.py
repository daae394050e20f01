"""OpenTelemetry traces of requests, which continue those of their clients (W3C Trace Context).

Names and attributes are those of OpenTelemetry's semantic conventions for HTTP and RPC.
"""

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.observe import Call, Observer
from roadworthy.serving.status import CODE_NUMBERS, http_status

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_LOG: Final = logging.getLogger(__name__)
_SERVICE: Final = "roadworthy-model-server"
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL: Final = "http/protobuf"
_TRACES_PATH: Final = "/v1/traces"
_CARRIED: Final = (b"traceparent", b"tracestate")
_FLUSH_MS: Final = 3000
# A server's fault, by the conventions; the others are the client's.
_OUR_FAULTS: Final = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)


def tracing(endpoint: str | None, environment: Mapping[str, str] = os.environ) -> "Tracing | None":
    """Tracing as it is asked for by a flag or by OpenTelemetry's own variables; None where it isn't.

    Args:
        endpoint: address of a collector that takes OTLP over HTTP; None looks into the environment.
        environment: where OTEL_… stand; OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER and the others count too.

    Raises:
        ServeError: an endpoint that is none, or it was given and the extra is not installed.
    """
    asked = endpoint or any(environment.get(name) for name in _ENDPOINTS)
    if not asked or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    protocol = next((environment[name] for name in _PROTOCOLS if environment.get(name)), _PROTOCOL)
    if protocol != _PROTOCOL:
        raise ServeError(f"Traces are sent as {_PROTOCOL}. Received: {protocol} by {' or '.join(_PROTOCOLS)}.")
    try:
        return Tracing(_provider(None if endpoint is None else _traces_url(endpoint)))
    except ImportError as error:
        missing = "Tracing needs OpenTelemetry: pip install 'roadworthy[tracing]'."
        if endpoint is not None:
            raise ServeError(f"{missing} Received: --trace_endpoint without it.") from error
        # The variables may be there for every program of a machine.
        _LOG.warning("%s OTEL_EXPORTER_OTLP_… are set, and nothing is traced", missing)
        return None


def _traces_url(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ServeError(f"--trace_endpoint must be such as http://localhost:4318. Received: {endpoint}.")
    return endpoint if parts.path.strip("/") else endpoint.rstrip("/") + _TRACES_PATH


def _provider(url: str | None) -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": _SERVICE}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    return provider


class Tracing(Observer):
    """A span for every request, and one within it for the model's work."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("roadworthy.serving")
        self._trace = trace
        self._propagator = TraceContextTextMapPropagator()

    def arrived(self, call: Call) -> None:
        """Begins the request's span."""
        carrier = {name.decode(): value.decode("latin-1") for name, value in call.headers if name in _CARRIED}
        parent = self._propagator.extract(carrier)
        span = self._tracer.start_span(
            f"{call.transport} {call.method}", context=parent, kind=self._trace.SpanKind.SERVER
        )
        call.notes[self] = [span]

    def asked(self, call: Call) -> None:
        """Begins the span of the model's work."""
        request, *_ = call.notes[self]
        inside = self._trace.set_span_in_context(request)
        call.notes[self].append(self._tracer.start_span(f"model {call.model}", context=inside))

    def done(self, call: Call) -> None:
        """Ends the spans."""
        # Of a request that was refused before it came here there is none.
        if self not in call.notes:
            return
        request, *inner = call.notes.pop(self)
        for span in inner:
            span.set_attributes(_about_model(call))
            span.end()
        if request.is_recording():
            request.set_attributes({**_about_model(call), **_about_transport(call)})
            if call.code in _OUR_FAULTS:
                request.set_status(self._trace.StatusCode.ERROR, call.code)
        request.end()

    def close(self) -> None:
        """Sends what is left, for a few seconds at most."""
        self._provider.force_flush(_FLUSH_MS)
        self._provider.shutdown()


def _about_model(call: Call) -> dict[str, Any]:
    told = {"model.name": call.model or None, "model.version": call.version, "model.signature": call.signature or None}
    return {name: value for name, value in told.items() if value is not None}


def _about_transport(call: Call) -> dict[str, Any]:
    about: dict[str, Any] = {"client.address": call.peer.rpartition(":")[0] or call.peer}
    if call.transport == "grpc":
        return about | {
            "rpc.system": "grpc",
            "rpc.method": call.method,
            "rpc.grpc.status_code": CODE_NUMBERS[call.code],
        }
    status = 200 if call.code == "OK" else http_status(call.code)
    return about | {"http.response.status_code": status, "network.protocol.name": "http"}
