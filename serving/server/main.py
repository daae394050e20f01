"""`roadworthy-model-server`: the model server under TF Serving's own flags."""

import argparse
import functools
import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from roadworthy.serving.errors import RoadworthyError, ServeError
from roadworthy.serving.servables.blas import one_blas_thread

if TYPE_CHECKING:
    from roadworthy.serving.servables.base import Servable
    from roadworthy.serving.server.listening import Listening
    from roadworthy.serving.server.manager import Manager
    from roadworthy.serving.server.operation import Operation

_EXAMPLES: Final = """examples:
  roadworthy-model-server --model_name=fashion --model_base_path=/models/fashion --rest_api_port=8501
  roadworthy-model-server --model_config_file=/models/models.config --model_config_file_poll_wait_seconds=60
  roadworthy-model-server --model_base_path=/models/fashion --enable_batching --batching_parameters_file=batching.config
"""
_MICROS: Final = 1_000_000
_REQUEST_PIXELS: Final = 100_000_000
# Flags of the original that say how its own runtime is to work; taken, so that a command line can be kept.
_WITHOUT_EFFECT: Final = (
    "flush_filesystem_caches",
    "rest_api_num_threads",
    "num_load_threads",
    "num_unload_threads",
    "saved_model_tags",
    "enable_model_warmup",
    "grpc_max_threads",
    "num_tflite_interpreters_per_pool",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the server until it is told to stop.

    Args:
        arguments: the command line; None takes the process's own.

    Returns:
        Exit code: 0 after SIGINT or SIGTERM, 2 for a fault of the command line or of what it names.
    """
    given = parser().parse_args(arguments)
    for name in _WITHOUT_EFFECT:
        if getattr(given, name) is not None:
            _say(f"roadworthy-model-server: --{name} has no effect here.")
    # What is made while it starts are modules and models, which stay: to look for garbage among them takes time only.
    gc.disable()
    one_blas_thread()
    try:
        serve(given)
    except RoadworthyError as error:
        _say(f"roadworthy-model-server: {error}")
        return 2
    finally:
        gc.enable()
    return 0


def serve(given: argparse.Namespace) -> None:
    """Runs the server that the flags describe.

    Raises:
        ServeError: flags that don't go together, or as `run_server`.
    """
    from roadworthy.serving.server.operation import observing
    from roadworthy.serving.server.run import log_to_stderr, run_server

    log_to_stderr()
    manager, listening = manager_of(given, os.environ), listening_of(given, os.environ)
    with observing(_operation(given, listening.metrics_path), manager) as observers:
        run_server(
            manager,
            listening,
            observers=observers,
            on_ready=lambda grpc, rest: _say(f"Serving: gRPC {grpc}, REST {rest or 'off'}"),
        )


def manager_of(given: argparse.Namespace, environment: Mapping[str, str]) -> "Manager":
    """What the flags serve or, where they name no model, Vertex AI's variables.

    Raises:
        ServeError: neither names a model, or what they name can't be read.
    """
    from roadworthy.serving.server.aip import fetch_model, read_aip
    from roadworthy.serving.server.manager import Loading, Manager
    from roadworthy.serving.server.model_config import ConfigFile, ModelConfig

    loading = Loading(
        poll_interval_s=given.file_system_poll_wait_seconds,
        retries=given.max_num_load_retries,
        retry_interval_s=given.load_retry_interval_micros / _MICROS,
        open_version=_open_version(given),
    )
    if given.model_config_file is not None:
        source = ConfigFile(given.model_config_file, poll_interval_s=given.model_config_file_poll_wait_seconds)
        return Manager(source, loading=loading)
    if given.model_base_path is not None:
        return Manager.of_models([ModelConfig(given.model_name, given.model_base_path)], loading=loading)
    aip = read_aip(environment)
    if aip is not None and aip.storage_uri:
        return Manager.of_models([ModelConfig(given.model_name, fetch_model(aip.storage_uri))], loading=loading)
    raise ServeError("--model_base_path or --model_config_file must be given. Received: neither. See --help.")


def _open_version(given: argparse.Namespace) -> Callable[[Path], "Servable"]:
    """How versions are loaded and run."""
    from roadworthy.serving.contract import MAX_IMAGE_PIXELS
    from roadworthy.serving.images import ImageLimits
    from roadworthy.serving.servables.open import open_servable
    from roadworthy.serving.servables.tensorflow_threads import TensorFlowThreads
    from roadworthy.serving.server.batching_config import read_batching

    both = given.tensorflow_session_parallelism
    return functools.partial(
        open_servable,
        batching=read_batching(enabled=given.enable_batching, file=given.batching_parameters_file),
        limits=ImageLimits(given.max_image_pixels or MAX_IMAGE_PIXELS, given.max_request_pixels),
        prefer_litert=given.prefer_tflite_model or given.use_tflite_model,
        tensorflow_threads=TensorFlowThreads(
            intra_op=given.tensorflow_intra_op_parallelism or both or None,
            inter_op=given.tensorflow_inter_op_parallelism or both or None,
        ),
        litert_at_once=given.num_tflite_pools,
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
        cors=given.enable_cors_support,
        metrics_path=_metrics_path(given.monitoring_config_file),
        health=given.enable_grpc_healthcheck_service,
        quick_on_loop=not given.enable_batching,
        page=given.page,
        max_request_bytes=given.max_request_bytes,
        max_connections=given.max_connections,
        drain_delay_s=given.drain_delay_seconds,
        drain_s=given.drain_timeout_seconds,
        aliases=aip.aliases(given.model_name) if aip is not None else {},
        health_routes={aip.health_route: given.model_name} if aip is not None and aip.health_route else {},
    )


def _operation(given: argparse.Namespace, metrics_path: str | None) -> "Operation":
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


def _say(line: str) -> None:
    """Writes a line where upstream writes its log."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def parser() -> argparse.ArgumentParser:
    """The flags, which are TF Serving's where it has them; of theirs, those that are not built are unknown."""
    flags = argparse.ArgumentParser(
        "roadworthy-model-server",
        description="Serves SavedModels and LiteRT models as TF Serving does, over gRPC and REST.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = flags.add_argument
    add("--port", type=int, default=8500, help="gRPC port (%(default)s)")
    add("--rest_api_port", type=int, default=0, help="REST port; 0 is no REST (%(default)s)")
    add("--rest_api_timeout_in_ms", type=_positive, default=30_000, help="longest time of a REST request (%(default)s)")
    add("--grpc_socket_path", type=Path, help="unix socket on which gRPC answers as well")
    add("--grpc_channel_arguments", type=_channel_arguments, default={}, help="name=value,… for gRPC")
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    _add_switch(flags, "--insecure", "allow a --host beyond loopback without TLS")
    _add_switch(flags, "--enable_cors_support", "let pages of any origin ask over REST")
    add("--monitoring_config_file", type=Path, help="a MonitoringConfig: Prometheus' metrics over REST")
    _add_switch(flags, "--enable_grpc_healthcheck_service", "answer gRPC's health service")
    _add_switch(flags, "--page", "show people what is served at / of REST (true)", default=True)
    add("--model_name", default="default", help="name of the one model (%(default)s)")
    add("--model_base_path", type=Path, help="its folder of <version>/ folders")
    add("--model_config_file", type=Path, help="a ModelServerConfig in protobuf's text format, in place of one model")
    add("--model_config_file_poll_wait_seconds", type=_number, default=0, help="0 reads it once (%(default)s)")
    add("--file_system_poll_wait_seconds", type=_positive, default=1.0, help="between looks for versions (%(default)s)")
    add("--max_num_load_retries", type=int, default=5, help="of a version that failed to load (%(default)s)")
    add("--load_retry_interval_micros", type=_number, default=60 * _MICROS, help="between them (%(default)s)")
    _add_switch(flags, "--enable_batching", "answer requests to a SavedModel together that come at once")
    add("--batching_parameters_file", type=Path, help="a BatchingParameters in protobuf's text format: how")
    add("--tensorflow_intra_op_parallelism", type=_whole, default=0, help="threads of an operation; 0 is one a core")
    add("--tensorflow_inter_op_parallelism", type=_whole, default=0, help="operations at once; 0 is one a core")
    add("--tensorflow_session_parallelism", type=_whole, default=0, help="both of these")
    _add_switch(flags, "--prefer_tflite_model", "of a version that has both, serve model.tflite, not the SavedModel")
    _add_switch(flags, "--use_tflite_model", "the same under its older name")
    add("--num_tflite_pools", type=_count, help="requests a LiteRT model works on at once (one a core)")
    add("--max_image_pixels", type=_count, help="most pixels of an image (50 million)")
    add("--max_request_pixels", type=_count, default=_REQUEST_PIXELS, help="most of a request's images (%(default)s)")
    _add_safety(flags)
    _add_records(flags)
    for name in _WITHOUT_EFFECT:
        add(f"--{name}", help=argparse.SUPPRESS)
    return flags


def _add_safety(flags: argparse.ArgumentParser) -> None:
    add = flags.add_argument
    add("--ssl_config_file", type=Path, help="an SSLConfig in protobuf's text format: TLS for gRPC and REST")
    add("--tls_cert", type=Path, help="the same by PEM files: certificate and those that lead to its authority")
    add("--tls_key", type=Path, help="private key of --tls_cert")
    add("--tls_client_ca", type=Path, help="authorities of clients; only clients with their certificates get in")
    add("--token_file", type=Path, help="hashes of bearer tokens, made by: roadworthy token; others are refused")
    add("--max_request_bytes", type=_count, default=128 * 1024 * 1024, help="longest request, unpacked (%(default)s)")
    add("--max_connections", type=_count, default=1024, help="of each of gRPC and REST (%(default)s)")
    add("--drain_delay_seconds", type=_number, default=0.0, help="told to stop, serve on for so long (%(default)s)")
    add("--drain_timeout_seconds", type=_number, default=30.0, help="then wait so long for requests (%(default)s)")


def _add_records(flags: argparse.ArgumentParser) -> None:
    add = flags.add_argument
    add("--access_log", nargs="?", type=Path, const=Path("-"), help="a JSON line a request to a file; alone, to stderr")
    add("--trace_endpoint", help="OTLP collector, e.g. http://localhost:4318; OTEL_… variables count as well")
    add("--request_log_dir", type=Path, help="folder for PredictionLogs of some requests")
    add("--request_log_sampling", type=_share, default=0.01, help="share of the requests logged (%(default)s)")


def _add_switch(flags: argparse.ArgumentParser, name: str, text: str, *, default: bool = False) -> None:
    """A flag that may stand alone or say true or false, as in the original."""
    flags.add_argument(name, nargs="?", type=_truth, const=True, default=default, help=text)


def _truth(word: str) -> bool:
    if word.lower() not in ("true", "false", "1", "0"):
        raise argparse.ArgumentTypeError(f"must be true or false. Received: {word}.")
    return word.lower() in ("true", "1")


def _number(word: str) -> float:
    value = float(word)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"must be at least 0. Received: {word}.")
    return value


def _positive(word: str) -> float:
    value = float(word)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"must be above 0. Received: {word}.")
    return value


def _count(word: str) -> int:
    value = int(word)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1. Received: {word}.")
    return value


def _whole(word: str) -> int:
    value = int(word)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be at least 0. Received: {word}.")
    return value


def _share(word: str) -> float:
    value = float(word)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be in [0, 1]. Received: {word}.")
    return value


def _channel_arguments(text: str) -> dict[str, str | int]:
    """name=value,name=value with whole numbers as numbers."""
    arguments: dict[str, str | int] = {}
    for pair in filter(None, text.split(",")):
        name, is_given, value = pair.partition("=")
        if not is_given:
            raise argparse.ArgumentTypeError(f"must be name=value,… Received: {pair}.")
        arguments[name] = int(value) if value.lstrip("-").isdecimal() else value
    return arguments


if __name__ == "__main__":
    sys.exit(main())
