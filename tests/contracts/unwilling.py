"""Real servers on loopback that refuse, stall or drip before they answer, over gRPC and REST."""

import contextlib
import http.server
import json
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from contracts.certificates import Issued
from roadworthy.serving import protos
from roadworthy.serving.status import HTTP_STATUSES


@dataclass(frozen=True)
class Mutual:
    """A server's certificate, and the authority whose clients it lets in."""

    own: Issued
    clients: Path

    def for_grpc(self) -> grpc.ServerCredentials:
        pair = (self.own.key.read_bytes(), self.own.certificate.read_bytes())
        return grpc.ssl_server_credentials([pair], self.clients.read_bytes(), require_client_auth=True)

    def for_rest(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.clients)
        context.load_cert_chain(self.own.certificate, self.own.key)
        context.verify_mode = ssl.CERT_REQUIRED
        return context


@dataclass
class Unwilling:
    """How a server behaves, and what it was asked.

    Attributes:
        refusals: codes of its first answers; afterwards it tells the status of one version, number 1.
        stall_s: how long it thinks before it answers.
        drip_s: pause between the bytes of an answer over REST.
        says: text of a refusal; ``{authorization}`` is what the request had.
        asked: the headers of each request, and over gRPC `timeout_s`, the time it was given.
        connections: how many were opened, over REST.
        cancelled: set when a request over gRPC was.
    """

    refusals: list[str] = field(default_factory=list)
    stall_s: float = 0.0
    drip_s: float = 0.0
    says: str = "not now"
    asked: list[dict] = field(default_factory=list)
    connections: int = 0
    cancelled: threading.Event = field(default_factory=threading.Event)
    address: str = ""

    def refusal(self, headers: dict) -> tuple[str, str] | None:
        self.asked.append(headers)
        code = self.refusals.pop(0) if self.refusals else None
        return code and (code, self.says.format(authorization=headers.get("authorization")))


@contextlib.contextmanager
def unwilling(transport: str, *, tls: Mutual | None = None, **how) -> Iterator[Unwilling]:
    server = Unwilling(**how)
    with _over_grpc(server, tls) if transport == "grpc" else _over_rest(server, tls):
        yield server


@contextlib.contextmanager
def _over_grpc(server: Unwilling, tls: Mutual | None) -> Iterator[None]:
    def respond(_: bytes, context: grpc.ServicerContext) -> bytes:
        context.add_callback(lambda: context.is_active() or server.cancelled.set())
        headers = dict(context.invocation_metadata())
        refusal = server.refusal({**headers, "timeout_s": context.time_remaining()})
        until = time.monotonic() + server.stall_s
        while time.monotonic() < until and context.is_active():
            time.sleep(0.005)
        if not context.is_active():
            server.cancelled.set()
        if refusal is not None:
            context.abort(grpc.StatusCode[refusal[0]], refusal[1])
        status = protos.GetModelStatusResponse()
        status.model_version_status.add(version=1, state=protos.VERSION_STATES["AVAILABLE"])
        return status.SerializeToString()

    class AnyMethod(grpc.GenericRpcHandler):
        def service(self, _):
            return grpc.unary_unary_rpc_method_handler(respond)

    started = grpc.server(ThreadPoolExecutor(32), handlers=[AnyMethod()])
    host = "127.0.0.1:0"
    port = started.add_secure_port(host, tls.for_grpc()) if tls else started.add_insecure_port(host)
    server.address = f"127.0.0.1:{port}"
    started.start()
    try:
        yield
    finally:
        started.stop(None).wait()


@contextlib.contextmanager
def _over_rest(server: Unwilling, tls: Mutual | None) -> Iterator[None]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self):
            super().setup()
            server.connections += 1

        def do_GET(self):
            refusal = server.refusal({key.lower(): value for key, value in self.headers.items()})
            time.sleep(server.stall_s)
            told = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
            body = {"model_version_status": [told]} if refusal is None else {"error": refusal[1]}
            content = json.dumps(body).encode()
            self.send_response(200 if refusal is None else HTTP_STATUSES[refusal[0]])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with contextlib.suppress(OSError):
                if not server.drip_s:
                    self.wfile.write(content)
                for byte in content if server.drip_s else ():
                    self.wfile.write(bytes([byte]))
                    time.sleep(server.drip_s)

        def log_message(self, *_):
            pass

    class Web(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass  # clients that give up leave broken pipes

    with Web(("127.0.0.1", 0), Handler) as web:
        if tls:
            web.socket = tls.for_rest().wrap_socket(web.socket, server_side=True)
        server.address = f"127.0.0.1:{web.server_port}"
        threading.Thread(target=lambda: web.serve_forever(poll_interval=0.01), daemon=True).start()
        yield
        web.shutdown()
