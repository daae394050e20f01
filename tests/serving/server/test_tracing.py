"""Traces as a collector of OpenTelemetry's protocol receives them."""

import gzip
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.listening import Listening
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.observe import Call
from roadworthy.serving.server.run import ModelServer
from roadworthy.serving.server.tracing import tracing

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def collector():
    """A collector over HTTP; gives its address and the spans it got."""
    spans = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
            assert self.path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                told = {one.key: one.value.string_value for one in resource.resource.attributes}
                spans.extend((told["service.name"], span) for scope in resource.scope_spans for span in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", spans
    server.shutdown()
    thread.join()
    server.server_close()


def call(transport="grpc", **fields):
    return Call(transport, "Predict", model="fashion", peer="127.0.0.1:9", **fields)


def attributes(span):
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_a_request_is_a_span_of_its_clients_trace_with_the_model_within(collector):
    endpoint, spans = collector
    traces = tracing(endpoint, {})
    one = call(headers=[(b"traceparent", f"00-{TRACE}-{PARENT}-01".encode())])
    traces.arrived(one)
    traces.asked(one)
    one.version, one.signature = 7, "serving_default"
    traces.done(one)
    traces.close()

    (_, inner), (service, outer) = sorted(spans, key=lambda told: told[1].kind)
    assert service == "roadworthy-model-server"
    assert (outer.name, inner.name) == ("grpc Predict", "model fashion")
    assert {outer.trace_id.hex(), inner.trace_id.hex()} == {TRACE}
    assert (outer.parent_span_id.hex(), inner.parent_span_id) == (PARENT, outer.span_id)
    assert attributes(outer) == {
        "rpc.system": "grpc", "rpc.method": "Predict", "rpc.grpc.status_code": 0, "client.address": "127.0.0.1",
        "model.name": "fashion", "model.version": 7, "model.signature": "serving_default",
    }  # fmt: skip


def test_both_transports_continue_the_trace_of_their_client(collector):
    endpoint, spans = collector
    traces = tracing(endpoint, {})
    asked = Listening(grpc_port=0, rest_port=0)
    with ModelServer(Manager.of_models([]), asked, observers=[traces]) as server:
        httpx.get(
            f"http://127.0.0.1:{server.rest_port}/v1/models/none",
            headers={"traceparent": f"00-{TRACE}-{PARENT}-01"},
            trust_env=False,
        )
        with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel, pytest.raises(grpc.RpcError):
            channel.unary_unary("/tensorflow.serving.ModelService/GetModelStatus")(
                b"", metadata=[("traceparent", f"00-{TRACE}-{PARENT}-01")], timeout=10
            )
    traces.close()

    requests = {span.name: span for _, span in spans if span.kind == span.SPAN_KIND_SERVER}
    assert requests.keys() == {"rest GetModelStatus", "grpc GetModelStatus"}
    assert {(span.trace_id.hex(), span.parent_span_id.hex()) for span in requests.values()} == {(TRACE, PARENT)}
    assert attributes(requests["rest GetModelStatus"])["http.response.status_code"] == 404
    assert attributes(requests["grpc GetModelStatus"])["rpc.grpc.status_code"] == 3


@pytest.mark.parametrize(("code", "status", "is_ours"), [("NOT_FOUND", 404, False), ("INTERNAL", 500, True)])
def test_only_our_faults_are_errors(collector, code, status, is_ours):
    endpoint, spans = collector
    traces = tracing(endpoint, {})
    one = call("rest", code=code)
    traces.arrived(one)
    traces.done(one)
    traces.done(call("rest"))  # one that was refused before it came here
    traces.close()

    ((_, span),) = spans
    assert attributes(span)["http.response.status_code"] == status
    assert (span.status.code == span.status.STATUS_CODE_ERROR) is is_ours


def test_a_traceparent_that_is_none_begins_a_new_trace(collector):
    endpoint, spans = collector
    traces = tracing(endpoint, {})
    one = call(headers=[(b"traceparent", b"00-zz\xff-1")])
    traces.arrived(one)
    traces.done(one)
    traces.close()

    assert spans[0][1].parent_span_id == b""


def test_it_is_off_unless_asked_for():
    assert tracing(None, {}) is None
    assert tracing(None, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}) is None


@pytest.mark.parametrize(
    ("endpoint", "environment", "message"),
    [
        ("localhost:4318", {}, "--trace_endpoint must be such as http://localhost:4318. Received: localhost:4318"),
        ("http://x", {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "are sent as http/protobuf. Received: grpc"),
    ],
)
def test_what_can_not_be_traced_is_refused(endpoint, environment, message):
    with pytest.raises(ServeError, match=message):
        tracing(endpoint, environment)


def test_without_the_extra_a_flag_is_refused_and_a_variable_is_a_warning():
    program = (
        "import sys\nsys.modules['opentelemetry'] = None\n"
        "from roadworthy.serving.errors import ServeError\nfrom roadworthy.serving.server.tracing import tracing\n"
        "print(tracing(None, {'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://x'}))\n"
        "try: tracing('http://x', {})\nexcept ServeError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[0] == "None"
    assert "pip install 'roadworthy[tracing]'" in done.stdout.splitlines()[1]
    assert "nothing is traced" in done.stderr


def test_a_collector_that_is_away_holds_nobody_up():
    traces = tracing("http://127.0.0.1:9", {})
    one = call()
    traces.arrived(one)
    traces.done(one)
    done = threading.Thread(target=traces.close)
    done.start()
    done.join(10)
    assert not done.is_alive()
