"""The flags of `roadworthy-model-server`, which are TF Serving's where it has them."""

import argparse
from pathlib import Path
from typing import Final

_EXAMPLES: Final = """examples:
  roadworthy-model-server --model_name=fashion --model_base_path=/models/fashion --rest_api_port=8501
  roadworthy-model-server --model_config_file=/models/models.config --model_config_file_poll_wait_seconds=60
  roadworthy-model-server --model_base_path=/models/fashion --enable_batching --batching_parameters_file=batching.config
"""
MICROS: Final = 1_000_000
_REQUEST_PIXELS: Final = 100_000_000
# Flags of the original that say how its own runtime is to work; taken, so that a command line can be kept.
WITHOUT_EFFECT: Final = (
    "flush_filesystem_caches",
    "rest_api_num_threads",
    "num_load_threads",
    "num_unload_threads",
    "saved_model_tags",
    "enable_model_warmup",
    "grpc_max_threads",
    "num_tflite_interpreters_per_pool",
    "num_request_iterations_for_warmup",
    "per_process_gpu_memory_fraction",
    "remove_unused_fields_from_bundle_metagraph",
    "enable_signature_method_name_check",
    "thread_pool_factory_config_file",
    "xla_cpu_compilation_enabled",
    "xla_gpu_compilation_enabled",
)


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
    add("--version", action="store_true", help="print the version and stop")
    add("--port", type=int, default=8500, help="gRPC port (%(default)s)")
    add("--rest_api_port", type=int, default=0, help="REST port; 0 is no REST (%(default)s)")
    add("--rest_api_timeout_in_ms", type=_positive, default=30_000, help="longest time of a REST request (%(default)s)")
    add("--grpc_socket_path", type=Path, help="unix socket on which gRPC answers as well")
    add("--grpc_channel_arguments", type=_channel_arguments, default={}, help="name=value,… for gRPC")
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    _add_switch(flags, "--insecure", text="allow a --host beyond loopback without TLS")
    _add_switch(
        flags, "--rest_api_enable_cors_support", "--enable_cors_support", text="let pages of any origin ask over REST"
    )
    add("--monitoring_config_file", type=Path, help="a MonitoringConfig: Prometheus' metrics over REST")
    _add_switch(flags, "--enable_grpc_healthcheck_service", text="answer gRPC's health service")
    _add_switch(flags, "--enable_profiler", text="answer TensorFlow's profiler (true)", default=True)
    _add_switch(flags, "--page", text="show people what is served at / of REST (true)", default=True)
    add("--model_name", default="default", help="name of the one model (%(default)s)")
    add("--model_base_path", type=Path, help="its folder of <version>/ folders")
    add("--model_config_file", type=Path, help="a ModelServerConfig in protobuf's text format, in place of one model")
    add("--model_config_file_poll_wait_seconds", type=_number, default=0, help="0 reads it once (%(default)s)")
    add("--file_system_poll_wait_seconds", type=_positive, default=1.0, help="between looks for versions (%(default)s)")
    add("--max_num_load_retries", type=int, default=5, help="of a version that failed to load (%(default)s)")
    add("--load_retry_interval_micros", type=int, default=60 * MICROS, help="between them (%(default)s)")
    _add_switch(flags, "--enable_batching", text="answer requests to a SavedModel together that come at once")
    add("--batching_parameters_file", type=Path, help="a BatchingParameters in protobuf's text format: how")
    add("--tensorflow_intra_op_parallelism", type=_whole, default=0, help="threads of an operation; 0 is one a core")
    add("--tensorflow_inter_op_parallelism", type=_whole, default=0, help="operations at once; 0 is one a core")
    add("--tensorflow_session_parallelism", type=_whole, default=0, help="both of these")
    _add_switch(
        flags, "--prefer_tflite_model", text="of a version that has both, serve model.tflite, not the SavedModel"
    )
    _add_switch(flags, "--use_tflite_model", text="the same under its older name")
    add(
        "--workers", type=_count, default=1, help="processes that answer, each with the models of its own (%(default)s)"
    )
    add("--num_tflite_pools", type=_count, help="requests a LiteRT model works on at once (one a core)")
    add("--max_image_pixels", type=_count, help="most pixels of an image (50 million)")
    add("--max_request_pixels", type=_count, default=_REQUEST_PIXELS, help="most of a request's images (%(default)s)")
    _add_safety(flags)
    _add_records(flags)
    for name in WITHOUT_EFFECT:
        add(f"--{name}", nargs="?", const="true", help=argparse.SUPPRESS)
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


def _add_switch(flags: argparse.ArgumentParser, *names: str, text: str, default: bool = False) -> None:
    """A flag that may stand alone or say true or false, as in the original."""
    flags.add_argument(*names, nargs="?", type=_truth, const=True, default=default, help=text)


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
