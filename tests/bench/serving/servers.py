"""A running server and the ways to ask it; how ours is started."""

import base64
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import httpx
import numpy as np

from bench.claims import ROOT
from bench.serving.load import Load, grpc_load, rest_load
from bench.serving.models import Served
from bench.serving.process import Process
from contracts.ports import free_ports
from roadworthy.serving import protos
from roadworthy.serving.tensors import from_proto, to_proto

LOGS: Final = ROOT / "runs" / "bench-serving" / "logs"
OURS: Final = "Roadworthy"
_ASK_S: Final = 10.0
_HTTP: Final = httpx.Client(timeout=_ASK_S, verify=False)  # noqa: S501 - plain HTTP on loopback


@dataclass(frozen=True)
class Target:
    """One way to ask one server for one model.

    Attributes:
        server: its name.
        transport: REST or gRPC.
        url: where.
        body: the request as bytes: JSON, or a serialized message.
        read: from the answer's bytes to the output's first row.
    """

    server: str
    transport: str
    url: str
    body: bytes
    read: Callable[[bytes], list[float]]

    def ask(self) -> bytes:
        """The answer to one request.

        Raises:
            httpx.HTTPError, grpc.RpcError: there is none.
        """
        if self.transport == "REST":
            headers = {"content-type": "application/json"}
            answered = _HTTP.post(self.url, content=self.body, headers=headers)
            return answered.raise_for_status().content
        address, method = self.url.removeprefix("http://").split("/", 1)
        with grpc.insecure_channel(address) as channel:
            call = channel.unary_unary(f"/{method}")
            return call(self.body, timeout=_ASK_S, wait_for_ready=True)

    def is_right(self, served: Served) -> bool:
        """Whether it answers, and with what is right.

        Raises:
            SystemExit: it answers something else.
        """
        try:
            answer = self.read(self.ask())
        except (httpx.HTTPError, grpc.RpcError, KeyError):
            return False
        if not served.is_right(answer):
            raise SystemExit(f"{self.server} over {self.transport} must answer {served.right}. Received: {answer}.")
        return True

    def load(self, *, clients: int, seconds: float) -> Load:
        """A burst of the same request."""
        if self.transport == "REST":
            return rest_load(self.url, self.body, clients=clients, seconds=seconds)
        length = len(self.ask())
        return grpc_load(self.url, self.body, answer_bytes=length, clients=clients, seconds=seconds)


@dataclass
class Running:
    """A server and its targets."""

    process: Process
    targets: list[Target]

    def wait(self, served: Served) -> float:
        """Waits until every target gives the right answer; the seconds since the start."""
        return max(self.process.wait_until(lambda target=target: target.is_right(served)) for target in self.targets)


def start_ours(served: Served, *, flags: Sequence[str] = (), name: str = OURS) -> Running:
    """Our server on free ports, set up by flags alone."""
    grpc_port, rest_port = free_ports(2)
    command = [
        Path(sys.executable).with_name("roadworthy-model-server"),
        f"--port={grpc_port}",
        f"--rest_api_port={rest_port}",
        f"--model_name={served.name}",
        f"--model_base_path={served.base}",
        *flags,
    ]
    process = Process(command, log=LOGS / f"{name}-{served.name}.log")
    return Running(process, [our_rest(served, rest_port, name=name), our_grpc(served, grpc_port, name=name)])


def our_rest(served: Served, port: int, *, name: str = OURS) -> Target:
    """TF Serving's REST API."""
    body = {"signature_name": served.signature, "instances": [json_value(served.given)]}

    def read(answer: bytes) -> list[float]:
        (row,) = json.loads(answer)["predictions"]
        # Of a signature with one output, TF Serving leaves out its name.
        return row[served.output] if isinstance(row, dict) else row

    return Target(name, "REST", f"http://127.0.0.1:{port}/v1/models/{served.name}:predict", compact(body), read)


def our_grpc(served: Served, port: int, *, name: str = OURS) -> Target:
    """TF Serving's gRPC API."""
    request = protos.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = served.name, served.signature
    row = np.array([served.given], object if isinstance(served.given, bytes) else np.float32)
    request.inputs[served.input].CopyFrom(to_proto(row))

    def read(answer: bytes) -> list[float]:
        return from_proto(protos.PredictResponse.FromString(answer).outputs[served.output])[0].tolist()

    url = f"http://127.0.0.1:{port}/{protos.PREDICTION_SERVICE}/Predict"
    return Target(name, "gRPC", url, request.SerializeToString(), read)


def json_value(given: list[float] | bytes) -> Any:
    """An input's row as TF Serving's JSON has it."""
    return {"b64": base64_text(given)} if isinstance(given, bytes) else given


def base64_text(content: bytes) -> str:
    """Bytes for JSON."""
    return base64.b64encode(content).decode()


def compact(document: Any) -> bytes:
    """JSON without spaces."""
    return json.dumps(document, separators=(",", ":")).encode()
