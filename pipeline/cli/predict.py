"""`roadworthy predict`: ask a model server about image files."""

import json
from pathlib import Path

import click


@click.command(epilog="Example: roadworthy predict --server localhost:8500 --model fashion boot.png shirt.png")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--server", required=True, help="HOST:PORT of the server.")
@click.option("--model", required=True, help="Name of the model.")
@click.option("--transport", type=click.Choice(["grpc", "rest"]), default="grpc", show_default=True)
@click.option("--version", type=click.IntRange(min=0), help="Version to ask; default the latest.")
@click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(min=0.001), help="Seconds.")
@click.option("--batch", default=16, show_default=True, type=click.IntRange(min=1), help="Images a request.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: file, label, score.")
def predict(
    images: tuple[Path, ...],
    server: str,
    model: str,
    transport: str,
    version: int | None,
    timeout: float,
    batch: int,
    as_json: bool,
) -> None:
    """Send the bytes of IMAGES to a model server and print the class of each."""
    from roadworthy.serving.client import Client
    from roadworthy.serving.errors import DataError

    with Client.open(server, transport=transport, timeout_s=timeout) as client:
        for start in range(0, len(images), batch):
            files = images[start : start + batch]
            try:
                payloads = [file.read_bytes() for file in files]
            except OSError as error:
                raise DataError(
                    f"{error.filename} must be a readable image file. Received: {error.strerror}"
                ) from error
            answers = client.classify_images(model, payloads, version=version)
            for file, answer in zip(files, answers, strict=True):
                if as_json:
                    click.echo(json.dumps({"file": str(file), "label": answer.label, "score": round(answer.score, 6)}))
                else:
                    click.echo(f"{file}\t{answer.label}\t{answer.score:.3f}")
