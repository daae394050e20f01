"""`roadworthy report`: a finished run as a page to read."""

import json
import os
from pathlib import Path

import click


@click.command(epilog="Example: roadworthy report examples/fashion.yaml --out fashion.html")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="File to write.  [default: report.html beside the record]")
@click.option("--json", "as_json", is_flag=True, help="Print where the page is and what was chosen, as JSON.")
def report(run: Path, out: Path | None, as_json: bool) -> None:
    """Write a run's report: one HTML page that needs nothing beside itself.

    RUN is the run's output folder, its config, or the run.json that it left. Of several runs the newest is shown, also
    when it failed or no variant passed.
    """
    from roadworthy.pipeline.report.page import render
    from roadworthy.pipeline.report.record import read_record

    record, source = read_record(run)
    path = out or source.with_name("report.html")
    _write(path, render(record))
    if as_json:
        chosen = record.verdict.chosen if record.verdict else None
        failed = record.failure.message if record.failure else None
        click.echo(json.dumps({"report": str(path), "run": record.run_id, "chosen": chosen, "failed": failed}))
    else:
        click.echo(str(path))


def _write(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    from roadworthy.serving.errors import ConfigError

    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigError(f"--out must be a file this user can write. Received: {path}: {error.strerror}.") from error
