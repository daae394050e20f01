"""What a server does beside answering, as its options ask: tokens, an access log, traces, a log of requests."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.observe import Observer
from roadworthy.serving.server.served import Served

if TYPE_CHECKING:
    from roadworthy.serving.server.model_config import Logging
    from roadworthy.serving.server.request_log import RequestLog
    from roadworthy.serving.server.tls import Tls

# Stands for stderr.
STDERR: Final = Path("-")
REQUEST_LOG_RATE: Final = 0.01


@dataclass(frozen=True)
class Operation:
    """Options of a server; whatever isn't asked for costs nothing.

    Attributes:
        token_file: who may ask what; None is everyone everything.
        access_log: a file, or `STDERR`; None is none.
        trace_endpoint: collector of traces; None looks into OpenTelemetry's variables.
        request_log_dir: where some requests are logged of all models whose config doesn't say otherwise.
        request_log_rate: share of those, in [0, 1].
        models_may_log: the models' own configs may ask for a log of requests, now or later.
        metrics_path: where the metrics are, which need a token of their own scope.
    """

    token_file: Path | None = None
    access_log: Path | None = None
    trace_endpoint: str | None = None
    request_log_dir: Path | None = None
    request_log_rate: float = REQUEST_LOG_RATE
    models_may_log: bool = False
    metrics_path: str | None = None


@contextlib.contextmanager
def observing(operation: Operation, served: Served) -> Iterator[list[Observer]]:
    """The observers that the options ask for, in the order they are told; closed at the end, when all is written.

    Raises:
        ServeError: an option that can't be had.
    """
    with contextlib.ExitStack() as closing:
        observers: list[Observer] = []
        # First, so that what the next refuses stands in the log too; traces and requests are of those let in.
        if operation.access_log is not None:
            from roadworthy.serving.server.access_log import AccessLog

            log = AccessLog(None if operation.access_log == STDERR else operation.access_log)
            closing.callback(log.close)
            observers.append(log)
        if operation.token_file is not None:
            observers.append(_access(operation.token_file, operation.metrics_path))
        from roadworthy.serving.server.tracing import tracing

        if (traces := tracing(operation.trace_endpoint)) is not None:
            closing.callback(traces.close)
            observers.append(traces)
        if operation.request_log_dir is not None or operation.models_may_log:
            requests = _request_log(operation, served)
            closing.callback(requests.close)
            observers.append(requests)
        yield observers


def tls_of(
    *, config_file: Path | None = None, key: Path | None = None, certificate: Path | None = None, client_ca: Path | None
) -> "Tls | None":
    """TLS as the flags ask for it; None where they don't.

    Raises:
        ServeError: flags that don't go together, or files that are no identity.
    """
    if config_file is None and key is None and certificate is None and client_ca is None:
        return None
    from roadworthy.serving.server.tls import Tls

    if config_file is not None and (key or certificate or client_ca):
        raise ServeError("--ssl_config_file holds key and certificate. Received: --tls_… as well; give one of both.")
    if config_file is not None:
        return Tls.of_config_file(config_file)
    if key is None or certificate is None:
        raise ServeError(f"--tls_cert and --tls_key go together. Received: no --tls_{'cert' if key else 'key'}.")
    return Tls.of_files(key=key, certificate=certificate, client_ca=client_ca)


def _access(token_file: Path, metrics_path: str | None) -> Observer:
    from roadworthy.serving.server.access import Access
    from roadworthy.serving.server.health import PATHS
    from roadworthy.serving.server.page.application import PAGE_PATH
    from roadworthy.serving.server.readiness import LIVE_PATH, READY_PATH
    from roadworthy.serving.server.tokens import Tokens

    open_paths = frozenset({LIVE_PATH, READY_PATH, PAGE_PATH, *PATHS})
    return Access(Tokens(token_file), open_paths=open_paths, metrics_path=metrics_path)


def _request_log(operation: Operation, served: Served) -> "RequestLog":
    from roadworthy.serving.server.request_log import RequestLog, log_below

    folder = operation.request_log_dir
    below = None if folder is None else log_below(folder, rate=operation.request_log_rate)

    def source(model: str) -> "Logging | None":
        return served.logging_of(model) or (below(model) if below else None)

    return RequestLog(source)
