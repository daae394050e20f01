"""Beam's own servers for its workers, where no other machine reaches them.

Who reaches them has workers run code of theirs. Beam binds them to every interface, and has no option for another.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Final

import grpc
from apache_beam.runners.portability.fn_api_runner import worker_handlers

LOOPBACK: Final = "127.0.0.1"


@contextmanager
def on_loopback() -> Iterator[None]:
    """Has servers that Beam's runner starts within take ports of the loopback: of gRPC its module needs no more."""
    before = worker_handlers.grpc
    worker_handlers.grpc = SimpleNamespace(server=_server)
    try:
        yield
    finally:
        worker_handlers.grpc = before


def _server(*given: Any, **options: Any) -> Any:
    server: Any = grpc.server(*given, **options)
    bind = server.add_insecure_port
    server.add_insecure_port = lambda address: bind(f"{LOOPBACK}:{address.rpartition(':')[2]}")
    return server
