"""`roadworthy serve`: a model root over gRPC and REST."""

from collections.abc import Mapping
from pathlib import Path

import click

EXAMPLES = """Examples:

roadworthy serve served --rest-port 8501 --grpc-port 8500

roadworthy serve served --workers 2

roadworthy serve served --host 0.0.0.0 --tls-cert server.crt --tls-key server.key --token-file tokens

roadworthy-model-server has TF Serving's own flags and more of ours."""


@click.command(epilog=EXAMPLES)
@click.argument("model_root", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--grpc-port", default=8500, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option("--rest-port", default=8501, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option("--poll-interval", default=1.0, show_default=True, type=click.FloatRange(min=0.05), help="Seconds.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(min=1), help="Processes that answer.")
@click.option("--tls-cert", type=click.Path(path_type=Path), help="Certificate in PEM: TLS for both transports.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="Private key of --tls-cert.")
@click.option("--tls-client-ca", type=click.Path(path_type=Path), help="Authority of clients: mutual TLS.")
@click.option("--token-file", type=click.Path(path_type=Path), help="Who may ask what; see: roadworthy token --help")
@click.option("--access-log", type=click.Path(path_type=Path), help="A JSON line a request; - is stderr.")
@click.option("--page/--no-page", default=True, show_default=True, help="Show people what is served, at / of REST.")
@click.option("--insecure", is_flag=True, help="Allow a --host beyond loopback without TLS.")
def serve(
    model_root: Path,
    host: str,
    grpc_port: int,
    rest_port: int,
    poll_interval: float,
    workers: int,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_client_ca: Path | None,
    token_file: Path | None,
    access_log: Path | None,
    page: bool,
    insecure: bool,
) -> None:
    """Serve every model below MODEL_ROOT/<name>/<version>/ as TF Serving does; new versions are picked up."""
    from roadworthy.pipeline.cli.console import quieten_tensorflow
    from roadworthy.serving.server.listening import Listening
    from roadworthy.serving.server.manager import Loading, Manager, models_below
    from roadworthy.serving.server.operation import Operation, observing, tls_of
    from roadworthy.serving.server.run import log_to_stderr, run_server

    quieten_tensorflow()
    log_to_stderr()
    models, loading = models_below(model_root), Loading(poll_interval_s=poll_interval)
    tls = tls_of(key=tls_key, certificate=tls_cert, client_ca=tls_client_ca)
    listening = Listening(host=host, grpc_port=grpc_port, rest_port=rest_port, tls=tls, insecure=insecure, page=page)
    scheme = "http" if tls is None else "https"

    def say(grpc: int, rest: int | None) -> None:
        click.echo(f"Serving {model_root}: gRPC {host}:{grpc}, REST {scheme}://{host}:{rest}")

    if workers > 1:
        from roadworthy.serving.server.workers.supervisor import run_workers

        files = {"tls_cert": tls_cert, "tls_key": tls_key, "tls_client_ca": tls_client_ca}
        files |= {"token_file": token_file, "access_log": access_log}
        flags = _worker_flags(files, workers=workers, page=page)
        run_workers(models, listening, count=workers, arguments=flags, loading=loading, on_ready=say)
        return
    manager = Manager(models, loading=loading)
    with observing(Operation(token_file=token_file, access_log=access_log), manager) as observers:
        run_server(manager, listening, observers=observers, on_ready=say)


def _worker_flags(files: Mapping[str, Path | None], *, workers: int, page: bool) -> list[str]:
    """The flags of `roadworthy-model-server` for workers, which have ports and models from their supervisor."""
    given = [f"--{name}={file}" for name, file in files.items() if file is not None]
    # Of the port they take only that there is one.
    return [*given, f"--workers={workers}", f"--page={page}", "--rest_api_port=1"]
