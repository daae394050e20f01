"""`roadworthy-model-server`: the model server under TF Serving's own flags."""

import argparse
import functools
import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from roadworthy.serving.cores import available_cores
from roadworthy.serving.errors import RoadworthyError, ServeError
from roadworthy.serving.servables.blas import one_blas_thread
from roadworthy.serving.server.flags import MICROS, WITHOUT_EFFECT, parser

if TYPE_CHECKING:
    from roadworthy.serving.servables.base import Servable
    from roadworthy.serving.server.listening import Listening
    from roadworthy.serving.server.manager import Loading, Manager, Source
    from roadworthy.serving.server.operation import Operation


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the server until it is told to stop.

    Args:
        arguments: the command line; None takes the process's own.

    Returns:
        Exit code: 0 after SIGINT or SIGTERM, 2 for a fault of the command line or of what it names.
    """
    given = parser().parse_args(arguments)
    if given.version:
        return _show_version()
    for name in WITHOUT_EFFECT:
        if getattr(given, name) is not None:
            _say(f"roadworthy-model-server: --{name} has no effect here.")
    # What is made while it starts are modules and models, which stay: to look for garbage among them takes time only.
    gc.disable()
    one_blas_thread()
    try:
        serve(given, sys.argv[1:] if arguments is None else arguments)
    except RoadworthyError as error:
        _say(f"roadworthy-model-server: {error}")
        return 2
    finally:
        gc.enable()
    return 0


def serve(given: argparse.Namespace, arguments: Sequence[str]) -> None:
    """Runs the server that the flags describe.

    Args:
        given: the flags.
        arguments: the same as they were given, for processes that are to have them too.

    Raises:
        ServeError: flags that don't go together, or as `run_server`.
    """
    from roadworthy.serving.server.run import log_to_stderr

    log_to_stderr()
    if given.workers > 1:
        _serve_by_workers(given, arguments)
    else:
        _serve_alone(given)


def _serve_alone(given: argparse.Namespace) -> None:
    from roadworthy.serving.server.operation import observing
    from roadworthy.serving.server.run import run_server

    manager, listening = manager_of(given, os.environ), listening_of(given, os.environ)
    with observing(operation_of(given, listening.metrics_path), manager) as observers:
        run_server(manager, listening, observers=observers, on_ready=_say_ready)


def _serve_by_workers(given: argparse.Namespace, arguments: Sequence[str]) -> None:
    from roadworthy.serving.server.workers.supervisor import run_workers

    run_workers(
        source_of(given, os.environ),
        listening_of(given, os.environ),
        count=given.workers,
        arguments=arguments,
        loading=loading_of(given),
        on_ready=_say_ready,
    )


def manager_of(given: argparse.Namespace, environment: Mapping[str, str]) -> "Manager":
    """The manager of what the flags serve; errors as of `source_of`."""
    from roadworthy.serving.server.manager import Manager

    return Manager(source_of(given, environment), loading=loading_of(given))


def source_of(given: argparse.Namespace, environment: Mapping[str, str]) -> "Source":
    """What the flags serve or, where they name no model, Vertex AI's variables.

    Raises:
        ServeError: neither names a model, or what they name can't be read.
    """
    from roadworthy.serving.server.aip import fetch_model, read_aip
    from roadworthy.serving.server.model_config import ConfigFile, ModelConfig

    if given.model_config_file is not None:
        return ConfigFile(given.model_config_file, poll_interval_s=given.model_config_file_poll_wait_seconds)
    base_path = given.model_base_path
    if base_path is None:
        aip = read_aip(environment)
        if aip is None or not aip.storage_uri:
            raise ServeError("--model_base_path or --model_config_file must be given. Received: neither. See --help.")
        base_path = fetch_model(aip.storage_uri)
    models = [ModelConfig(given.model_name, base_path)]
    return lambda: models


def loading_of(given: argparse.Namespace) -> "Loading":
    """How the flags have versions looked for and loaded."""
    from roadworthy.serving.server.manager import Loading

    return Loading(
        poll_interval_s=given.file_system_poll_wait_seconds,
        retries=given.max_num_load_retries,
        retry_interval_s=max(0, given.load_retry_interval_micros) / MICROS,
        open_version=open_version_of(given),
    )


def open_version_of(given: argparse.Namespace) -> Callable[[Path], "Servable"]:
    """How versions are loaded and run; each of several processes has its share of the cores."""
    from roadworthy.serving.contract import MAX_IMAGE_PIXELS
    from roadworthy.serving.images import ImageLimits
    from roadworthy.serving.servables.open import open_servable
    from roadworthy.serving.servables.tensorflow_threads import TensorFlowThreads
    from roadworthy.serving.server.batching_config import read_batching

    available = available_cores()
    whole = given.workers == 1 and available == len(os.sched_getaffinity(0))  # TensorFlow then counts as we do
    share = None if whole else max(1, available // given.workers)
    both = given.tensorflow_session_parallelism or share
    return functools.partial(
        open_servable,
        batching=read_batching(enabled=given.enable_batching, file=given.batching_parameters_file),
        limits=ImageLimits(given.max_image_pixels or MAX_IMAGE_PIXELS, given.max_request_pixels),
        prefer_litert=given.prefer_tflite_model or given.use_tflite_model,
        tensorflow_threads=TensorFlowThreads(
            intra_op=given.tensorflow_intra_op_parallelism or both or None,
            inter_op=given.tensorflow_inter_op_parallelism or both or None,
        ),
        litert_at_once=given.num_tflite_pools or share,
    )


def listening_of(given: argparse.Namespace, environment: Mapping[str, str]) -> "Listening":
    """Where the flags have the server answer; of the port and the paths of REST, what they leave out by Vertex AI's."""
    from roadworthy.serving.server.aip import read_aip
    from roadworthy.serving.server.listening import Listening
    from roadworthy.serving.server.operation import tls_of

    aip = read_aip(environment)
    return Listening(
        host=given.host,
        grpc_port=given.port,
        rest_port=given.rest_api_port or (aip and aip.http_port) or None,
        tls=tls_of(
            config_file=given.ssl_config_file,
            key=given.tls_key,
            certificate=given.tls_cert,
            client_ca=given.tls_client_ca,
        ),
        insecure=given.insecure,
        grpc_socket=given.grpc_socket_path,
        grpc_options=given.grpc_channel_arguments,
        rest_timeout_s=given.rest_api_timeout_in_ms / 1000,
        cors=given.rest_api_enable_cors_support,
        metrics_path=_metrics_path(given.monitoring_config_file),
        health=given.enable_grpc_healthcheck_service,
        profiler=given.enable_profiler,
        quick_on_loop=not given.enable_batching,
        page=given.page,
        max_request_bytes=given.max_request_bytes,
        # Of all workers together; each has as many clients as the others.
        max_connections=-(-given.max_connections // given.workers),
        drain_delay_s=given.drain_delay_seconds,
        drain_s=given.drain_timeout_seconds,
        aliases=aip.aliases(given.model_name) if aip is not None else {},
        health_routes={aip.health_route: given.model_name} if aip is not None and aip.health_route else {},
    )


def operation_of(given: argparse.Namespace, metrics_path: str | None) -> "Operation":
    """What the flags have the server do beside answering."""
    from roadworthy.serving.server.operation import Operation

    return Operation(
        token_file=given.token_file,
        access_log=given.access_log,
        trace_endpoint=given.trace_endpoint,
        request_log_dir=given.request_log_dir,
        request_log_rate=given.request_log_sampling,
        models_may_log=given.model_config_file is not None,
        metrics_path=metrics_path,
    )


def _metrics_path(config_file: Path | None) -> str | None:
    """Where a monitoring config asks for Prometheus' metrics, if it does."""
    if config_file is None:
        return None
    from roadworthy.serving import protos
    from roadworthy.serving.server.metrics import PROMETHEUS_PATH
    from roadworthy.serving.server.text_proto import read_text_proto

    asked = read_text_proto(config_file, protos.MonitoringConfig).prometheus_config
    return (asked.path or PROMETHEUS_PATH) if asked.enable else None


def _show_version() -> int:
    from importlib.metadata import version

    sys.stdout.write(f"Roadworthy ModelServer: {version('roadworthy')}\n")
    return 0


def _say_ready(grpc: int, rest: int | None) -> None:
    _say(f"Serving: gRPC {grpc}, REST {rest or 'off'}")


def _say(line: str) -> None:
    """Writes a line where upstream writes its log."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
