"""A Vertex AI of the tests' own: TLS gRPC on loopback with the API's own messages, for the unpatched client.

    with vertex_server(tmp_path, gcs=gcs) as vertex:
        monkeypatch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(vertex.authority))
        aiplatform.init(api_endpoint=vertex.address, project="demo", location="us-central1", …)

gRPC reads its roots once a process: `vertex.environment()` belongs into the environment of processes that are started,
and the tests' own process has to have it before its first channel.

It holds to the rules that the API documents. It proves nothing of quotas, permissions, machines or time.
"""

import contextlib
import inspect
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.cloud import aiplatform_v1 as v1
from google.cloud import resourcemanager_v3
from google.longrunning import operations_pb2

from contracts.certificates import Authority
from contracts.gcs.api import PROJECT_NUMBER
from contracts.gcs.server import Gcs
from contracts.vertex.batches import Batches
from contracts.vertex.containers import Containers
from contracts.vertex.endpoints import Endpoints
from contracts.vertex.models import Models
from contracts.vertex.operations import Operations
from contracts.vertex.pipelines import Pipelines, Schedules
from contracts.vertex.prediction import Prediction
from contracts.vertex.rules import Refused

# The client asks it whose a bucket is, before it submits a pipeline; it finds it here through the proxy.
RESOURCE_MANAGER = "cloudresourcemanager.googleapis.com"
PARENT = "projects/demo/locations/us-central1"


@dataclass
class Fault:
    """The next `times` calls of a method, after `after` that are answered, end with a code; or are answered late."""

    method: str
    code: str = ""
    message: str = "injected by the test"
    times: int = 1
    after: int = 0
    stall_s: float = 0.0


@dataclass
class Vertex:
    """A running server and what it holds.

    Attributes:
        address: HOST:PORT for `api_endpoint`.
        authority: PEM of who signed its certificate.
        calls: method and request of everything it was asked, in order.
        authorizations: the `authorization` headers that came.
        faults: how further calls fail.
        needs_token: refuse requests without a bearer token.
    """

    address: str
    authority: Path
    operations: Operations
    models: Models
    endpoints: Endpoints
    containers: Containers
    pipelines: Pipelines
    schedules: Schedules
    batches: Batches
    folder: Path
    calls: list[tuple[str, Any]] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    needs_token: bool = False

    def methods(self) -> list[str]:
        """Names of what was called, in order, without looking after operations."""
        return [method for method, _ in self.calls if method != "GetOperation"]

    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to reach this server under credentials of its own."""
        return {
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(self.authority),
            "GOOGLE_APPLICATION_CREDENTIALS": str(service_account(self.folder)),
            "GOOGLE_CLOUD_PROJECT": "demo",
        }


def service_account(folder: Path) -> Path:
    """The key file of a service account that nobody knows: the client signs its tokens with it by itself."""
    path = folder / "service-account.json"
    if not path.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        told = {
            "type": "service_account",
            "project_id": "demo",
            "private_key_id": "of-the-test",
            "private_key": key.private_bytes(*form).decode(),
            "client_email": "deployer@demo.iam.gserviceaccount.com",
            "token_uri": "http://127.0.0.1:9/token",
        }
        path.write_text(json.dumps(told))
    return path


@contextlib.contextmanager
def vertex_server(
    folder: Path, *, gcs: Gcs | None = None, authority: Authority | None = None, polls: int = 3
) -> Iterator[Vertex]:
    """Runs a server until the block ends.

    Args:
        folder: for certificates and what containers fetch.
        gcs: where artifacts with a gs:// URI lie.
        authority: signs its certificate; None makes one.
        polls: requests after which a long operation is done.
    """
    authority = authority or Authority(folder, "vertex-authority")
    pair = authority.pair(hosts=[RESOURCE_MANAGER])
    operations, containers = Operations(polls=polls), Containers(folder / "containers", gcs)
    models = Models(operations, lambda: list(endpoints.deployed()))
    endpoints = Endpoints(operations, models, containers)
    pipelines = Pipelines(operations)
    parts = (pipelines, Schedules(operations, pipelines), Batches(models, containers, gcs))
    vertex = Vertex("", authority.file, operations, models, endpoints, containers, *parts, folder)
    prediction = Prediction(endpoints, models, containers)
    router = _Router(vertex, [operations, models, endpoints, prediction, Projects(), *parts])
    server = grpc.server(ThreadPoolExecutor(8), handlers=[router])
    credentials = grpc.ssl_server_credentials([(pair.key, pair.certificate)])
    port = server.add_secure_port("localhost:0", credentials)
    vertex.address = f"localhost:{port}"
    if gcs is not None:
        gcs.tunnels[RESOURCE_MANAGER] = ("localhost", port)
    server.start()
    try:
        yield vertex
    finally:
        server.stop(None).wait()
        containers.stop_all()


class Projects:
    """As much of the Resource Manager as the client asks."""

    def GetProject(self, request: resourcemanager_v3.GetProjectRequest) -> resourcemanager_v3.Project:
        project = request.name.rpartition("/")[2]
        return resourcemanager_v3.Project(name=f"projects/{PROJECT_NUMBER}", project_id=project)


class _Router(grpc.GenericRpcHandler):
    """Finds the method by its name, which is of one service only."""

    def __init__(self, vertex: Vertex, services: list[Any]) -> None:
        self._vertex = vertex
        # One request at a time but for predictions, which may be slow and are asked together.
        self._lock = threading.RLock()
        self._methods: dict[str, Callable[[Any], Any]] = {
            name: method
            for service in services
            for name, method in inspect.getmembers(service, inspect.ismethod)
            if name[0].isupper()
        }

    def service(self, details):
        name = details.method.rsplit("/", 1)[1]
        if name not in self._methods:
            return None  # UNIMPLEMENTED
        request = getattr(v1, f"{name}Request", None) or getattr(resourcemanager_v3, f"{name}Request", None)
        read = request.deserialize if request else getattr(operations_pb2, f"{name}Request").FromString

        def handle(asked: Any, context: grpc.ServicerContext) -> Any:
            try:
                self._check(name, asked, context)
                if name in ("Predict", "RawPredict"):
                    return self._methods[name](asked)
                with self._lock:
                    self._vertex.operations.tick()
                    return self._methods[name](asked)
            except Refused as refused:
                return context.abort(grpc.StatusCode[refused.code], str(refused))

        return grpc.unary_unary_rpc_method_handler(handle, read, _written)

    def _check(self, name: str, asked: Any, context: grpc.ServicerContext) -> None:
        vertex = self._vertex
        token = dict(context.invocation_metadata()).get("authorization", "")
        vertex.calls.append((name, asked))
        vertex.authorizations.add(token)
        if vertex.needs_token and not token.startswith("Bearer "):
            raise Refused("UNAUTHENTICATED", "Request had invalid authentication credentials.")
        for fault in list(vertex.faults):
            if fault.method != name:
                continue
            if fault.after:
                fault.after -= 1
                continue
            fault.times -= 1
            if fault.times <= 0:
                vertex.faults.remove(fault)
            time.sleep(fault.stall_s)
            if fault.code:
                raise Refused(fault.code, fault.message)


def _written(answer: Any) -> bytes:
    return type(answer).serialize(answer) if hasattr(type(answer), "serialize") else answer.SerializeToString()
