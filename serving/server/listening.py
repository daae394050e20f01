"""Where a server answers, and how, as one value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from roadworthy.serving.server.tls import Tls

GRPC_PORT: Final = 8500
REST_PORT: Final = 8501
REST_TIMEOUT_S: Final = 30.0
# The same for both transports; of what came packed, unpacked.
MAX_REQUEST_BYTES: Final = 128 * 1024 * 1024
# How long requests that are under way get to finish once the server is told to stop.
DRAIN_S: Final = 30.0
# Of each transport; every one takes some memory and a file descriptor.
MAX_CONNECTIONS: Final = 1024


@dataclass(frozen=True)
class Listening:
    """Where a server answers, and how.

    Attributes:
        host: address to listen on.
        grpc_port: 0 is any free one.
        rest_port: 0 is any free one; None is no REST.
        tls: for both transports; None is plain.
        insecure: allow a host other than loopback, though nothing is encrypted.
        grpc_socket: path of a unix socket on which gRPC answers as well.
        grpc_options: channel arguments of gRPC by name.
        rest_timeout_s: longest time a REST request may take.
        cors: let pages of any origin ask over REST.
        metrics_path: where REST tells Prometheus of the requests; None is nowhere.
        health: answer gRPC's health service too.
        profiler: answer TensorFlow's profiler too.
        page: show people what is served, at `/` of REST.
        max_request_bytes: longest request taken, unpacked.
        max_connections: most connections of each transport.
        drain_delay_s: told to stop, how long it goes on as before but for its health, until load balancers noticed.
        drain_s: how long requests under way then get to finish.
        quick_on_loop: let the event loop answer what is quick; see `Work`.
        aliases: paths of REST under which others are answered as well.
        health_routes: paths of REST that answer 200 while the model they stand for has a version that is available.
    """

    host: str = "127.0.0.1"
    grpc_port: int = GRPC_PORT
    rest_port: int | None = REST_PORT
    tls: "Tls | None" = None
    insecure: bool = False
    grpc_socket: Path | None = None
    grpc_options: Mapping[str, str | int] = field(default_factory=dict)
    rest_timeout_s: float = REST_TIMEOUT_S
    cors: bool = False
    metrics_path: str | None = None
    health: bool = False
    profiler: bool = True
    page: bool = True
    max_request_bytes: int = MAX_REQUEST_BYTES
    max_connections: int = MAX_CONNECTIONS
    drain_delay_s: float = 0.0
    drain_s: float = DRAIN_S
    quick_on_loop: bool = True
    aliases: Mapping[str, str] = field(default_factory=dict)
    health_routes: Mapping[str, str] = field(default_factory=dict)
