"""A Google Cloud Storage of the tests' own, on loopback, for every client that a run uses.

One port speaks plain HTTP, for google-cloud-storage and Beam by `STORAGE_EMULATOR_HOST`, and is an HTTPS proxy too: a
CONNECT to any host of Google's is answered here, under a certificate of the test's authority. TensorFlow's own file
system for `gs://` knows no emulator, but its curl heeds `https_proxy` and `CURL_CA_BUNDLE`. So no resolver is touched.
It has to run in another process than this server, since it holds the interpreter's lock here and there.
"""

import contextlib
import http.server
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from contracts.certificates import Authority
from contracts.gcs.api import Answer, Api, Asked
from contracts.gcs.objects import Buckets, Refused

HOSTS = ("www.googleapis.com", "storage.googleapis.com", "oauth2.googleapis.com")


@dataclass
class Fault:
    """Answers that are errors: the next `times` requests whose method and path match."""

    method: str
    path: str
    status: int
    times: int = 1


@dataclass
class Gcs:
    """A running server.

    Attributes:
        buckets: what it holds.
        port: on loopback.
        authority: PEM of who signed its certificate for Google's hosts.
        calls: method and path of every request, in order.
        tokens: bearer tokens that requests carried.
        faults: errors to answer with.
        tunnels: where CONNECTs to other hosts lead, such as the local Vertex AI for further APIs of Google's.
    """

    buckets: Buckets
    port: int
    authority: Path
    calls: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    tunnels: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self, *, token: str = "a-token-of-the-test") -> dict[str, str]:  # noqa: S107 no secret
        """What a process needs in its environment so that each of the clients finds this server."""
        return {
            "STORAGE_EMULATOR_HOST": self.url,
            "GOOGLE_CLOUD_PROJECT": "demo",
            # TensorFlow's curl.
            "https_proxy": self.url,
            "no_proxy": "localhost,127.0.0.1",
            "CURL_CA_BUNDLE": str(self.authority),
            "GOOGLE_AUTH_TOKEN_FOR_TESTING": token,
            "NO_GCE_CHECK": "true",
            # One failed request should not take half a minute to be told.
            "GCS_RETRY_CONFIG_INIT_DELAY_TIME_US": "1000",
            "GCS_RETRY_CONFIG_MAX_DELAY_TIME_US": "10000",
            # Another process may have written meanwhile.
            "GCS_READ_CACHE_MAX_STALENESS": "0",
        }

    def names(self, bucket: str, prefix: str = "") -> list[str]:
        """Names of the objects of a bucket."""
        return sorted(name for name in self.buckets.objects(bucket) if name.startswith(prefix))

    def read(self, bucket: str, name: str) -> bytes:
        return self.buckets.get(bucket, name, {}).data

    def fetch(self, uri: str, target: Path) -> Path:
        """Copies everything below gs://BUCKET/PREFIX to a folder."""
        bucket, _, prefix = uri.removeprefix("gs://").rstrip("/").partition("/")
        for name in self.names(bucket, f"{prefix}/" if prefix else ""):
            if not name.endswith("/"):
                file = target / name[len(prefix) :].lstrip("/")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(self.read(bucket, name))
        return target


@contextlib.contextmanager
def gcs_server(folder: Path, *buckets: str) -> Iterator[Gcs]:
    """Runs a server with empty buckets until the block ends.

    Args:
        folder: where its authority's certificate is written.
        buckets: made at the start.
    """
    authority = Authority(folder, "gcs-authority")
    issued = authority.issue("googleapis", hosts=HOSTS)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(issued.certificate, issued.key)
    with _Web(("127.0.0.1", 0), _Handler) as web:
        web.tls = tls
        web.gcs = Gcs(Buckets(), web.server_port, authority.file)
        web.api = Api(web.gcs.buckets)
        for bucket in buckets:
            web.gcs.buckets.make(bucket)
        thread = threading.Thread(target=lambda: web.serve_forever(poll_interval=0.02), daemon=True)
        thread.start()
        try:
            yield web.gcs
        finally:
            web.shutdown()
            thread.join()


class _Web(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    gcs: Gcs
    api: Api
    tls: ssl.SSLContext

    def handle_error(self, *_):
        pass  # clients that give up leave broken pipes


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Web

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_CONNECT(self):
        """From here on the connection is TLS, and the requests in it are answered as any other."""
        host, _, port = self.path.rpartition(":")
        if host in self.server.gcs.tunnels:
            self._tunnel(self.server.gcs.tunnels[host])
            return
        if host not in HOSTS or port != "443":
            self._reply(Answer(403, b"only Google's hosts"))
            return
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        except (OSError, ssl.SSLError):
            self.close_connection = True
            return
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.close_connection = False

    def _tunnel(self, address: tuple[str, int]) -> None:
        self.close_connection = True
        with socket.create_connection(address) as far:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(far, self.connection), daemon=True)
            back.start()
            _pump(self.connection, far)
            back.join()

    def do_GET(self):
        gcs = self.server.gcs
        body = self._body()
        gcs.calls.append((self.command, self.path))
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        if kind == "Bearer":
            gcs.tokens.add(token)
        path, query = _split(self.path)
        scheme = "https" if isinstance(self.connection, ssl.SSLSocket) else "http"
        base = f"{scheme}://{self.headers.get('Host', '')}"
        try:
            self._raise_fault(gcs)
            answer = self.server.api.answer(Asked(self.command, path, query, dict(self.headers.items()), body, base))
        except Refused as refused:
            answer = Answer.error(refused)
        self._reply(answer)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_GET  # noqa: N815

    def _raise_fault(self, gcs: Gcs) -> None:
        for fault in list(gcs.faults):
            if fault.method == self.command and re.search(fault.path, unquote(self.path)):
                fault.times -= 1
                if fault.times <= 0:
                    gcs.faults.remove(fault)
                raise Refused(fault.status, "injected by the test")

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _reply(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(answer.length if answer.length is not None else len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, *_):
        pass


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(65536):
            target.sendall(content)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _split(path: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(path)
    return parts.path, dict(parse_qsl(parts.query, keep_blank_values=True))
