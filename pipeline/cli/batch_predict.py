"""`roadworthy batch-predict`: many files by a job of their own, in place of an endpoint."""

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from roadworthy.pipeline.cli.options import refuse_options

if TYPE_CHECKING:
    from roadworthy.components.pushers.vertex_push import VertexPush
    from roadworthy.pipeline.bulk.ask import Answer
    from roadworthy.pipeline.config import RunConfig
    from roadworthy.serving.vertex.batch import BatchJob
    from roadworthy.serving.vertex.clients import Clients

EXAMPLES: Final = """Examples:

roadworthy batch-predict photos --config pets.yaml --out labels.csv

roadworthy batch-predict photos --config pets.yaml --version 3 --dry-run

roadworthy batch-predict photos --config pets.yaml --on beam --model served/pets/3 --out labels.csv"""


@click.command(epilog=EXAMPLES)
@click.argument("files", nargs=-1, required=True)
@click.option("--config", required=True, type=click.Path(path_type=Path), help="YAML of a run, with a deploy section.")
@click.option("--on", "where", type=click.Choice(["vertex", "beam"]), default="vertex", show_default=True)
@click.option("--model", type=click.Path(path_type=Path), help="For beam: version folder of a model.")
@click.option("--version", help="For vertex: number or alias of the version to ask.  [default: champion]")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write, JSON lines or .csv.")
@click.option("--dry-run", is_flag=True, help="Tell what would be asked where; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary as one JSON document.")
def batch_predict(
    files: tuple[str, ...],
    config: Path,
    where: str,
    model: Path | None,
    version: str | None,
    out: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Classify FILES with a batch prediction job of Vertex AI, or with Beam.

    FILES are files, folders with all JPEG and PNG files below them, or patterns. The answers are those of `roadworthy
    predict --out`; exit code 2 if some files failed. After an interruption the same command waits for the same job.
    On beam the model, a SavedModel or a LiteRT one, is asked in processes of this machine by beam.workers, or as
    cloud.beam says, such as on Dataflow; what was answered before an interruption is not asked again.
    """
    from roadworthy.pipeline.bulk.files import IMAGE_SUFFIXES, check_words, find_files
    from roadworthy.pipeline.config import load_config
    from roadworthy.pipeline.deploying import vertex_push
    from roadworthy.serving.errors import ConfigError, DataError
    from roadworthy.serving.rollout.state import CHAMPION
    from roadworthy.serving.vertex.batch import BatchJob

    if where == "vertex":
        refuse_options(("model",), "is for --on beam; on Vertex AI, --version tells which version is asked.")
    else:
        refuse_options(("version",), "is for --on vertex; on beam, --model names the version's folder.")
    if out is None and not dry_run:
        raise ConfigError("--out must name a file for the answers. Received: none.")
    settings = load_config(config)
    check_words(files)
    found = sorted(set(find_files(files, stdin=sys.stdin, suffixes=IMAGE_SUFFIXES)))
    if not found:
        raise DataError(f"FILES must hold at least one image. Received: none in {', '.join(files)}.")
    if where == "beam":
        _by_beam(settings, model, found, out, dry_run=dry_run, as_json=as_json)
        return
    push = vertex_push(settings)
    version = version or CHAMPION
    asked = f"{push.place.model(push.id)}@{version}"
    job = BatchJob(asked, f"{push.id}-{version}", f"{push.staging}/batch", push.machine)
    if dry_run:
        _tell_plan(job.model, len(found), f"by way of {job.folder}", as_json=as_json)
        return
    assert out is not None
    _by_job(push, job, found, out, as_json=as_json)


def _by_job(push: "VertexPush", job: "BatchJob", files: list[str], out: Path, *, as_json: bool) -> None:
    from roadworthy.serving.vertex.batch import pinned, write_instances
    from roadworthy.serving.vertex.clients import Clients

    clients = Clients(push.place)
    job = pinned(clients, job)
    with tempfile.TemporaryDirectory() as folder:
        instances = Path(folder) / "instances.jsonl"
        digest, unread = write_instances(files, instances)
        answers = _answers(clients, job, instances, digest) if len(unread) < len(files) else ()
        counts = _record(_of_every_file(files, answers, unread), out, question=[job.model, digest])
    _tell(*counts, out, as_json=as_json)


def _by_beam(
    settings: "RunConfig", model: Path | None, files: list[str], out: Path | None, *, dry_run: bool, as_json: bool
) -> None:
    from roadworthy.pipeline.place import beam_arguments as on_cloud
    from roadworthy.serving.errors import ConfigError

    if model is None:
        raise ConfigError("--model must name a version folder for --on beam. Received: none.")
    cloud = settings.cloud
    is_remote = cloud is not None and cloud.beam is not None
    if dry_run or out is None:
        place = f"{cloud.beam.runner}" if cloud is not None and cloud.beam is not None else "this machine"
        _tell_plan(str(model), len(files), f"with Beam on {place}", as_json=as_json)
        return
    from roadworthy.pipeline.beam.arguments import beam_arguments
    from roadworthy.pipeline.bulk.shards import Batch, answer_batch, forget_batch

    batch = Batch(model, tuple(files))
    if cloud is not None and is_remote:
        folder, arguments = f"{cloud.pipeline_root}/batch/{batch.key}", on_cloud(cloud)
    else:
        folder, arguments = (
            str(out.resolve().with_name(f".{out.name}.shards")),
            tuple(beam_arguments(settings.beam.workers)),
        )
    answers = answer_batch(batch, folder=folder, is_remote=is_remote, beam_arguments=arguments)
    counts = _record(answers, out, question=[batch.key])
    forget_batch(folder)
    _tell(*counts, out, as_json=as_json)


def _record(answers: "Iterable[Answer]", out: Path, *, question: list[str]) -> tuple[int, int]:
    """Writes the answers; gives how many files were answered and how many failed."""
    from roadworthy.pipeline.bulk.record import Format, Part

    form = Format("csv" if out.suffix.lower() == ".csv" else "json", is_classifier=True)
    answered = failed = 0
    with Part(out, form, question=question) as part:
        for answer in answers:
            if answer.file not in part.done:
                part.write(answer)
            answered += answer.error is None
            failed += answer.error is not None
        part.finish()
    return answered, failed


def _of_every_file(files: list[str], answers: "Iterable[Answer]", unread: "dict[str, str]") -> "Iterator[Answer]":
    """The job's answers, then an error for each file that it was not asked about, or of which it said nothing."""
    from roadworthy.pipeline.bulk.ask import Answer

    left = set(files)
    for answer in answers:
        if answer.file in left:
            left.remove(answer.file)
            yield answer
    for file in sorted(left):
        yield Answer(file, error=unread.get(file, "must have an answer of the job. Received: none"))


def _tell_plan(model: str, files: int, way: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"model": model, "files": files, "way": way}))
    else:
        click.echo(f"Would ask {model} about {files:,} files, {way}.")


def _tell(answered: int, failed: int, out: Path, *, as_json: bool) -> None:
    from roadworthy.serving.errors import DataError

    if as_json:
        click.echo(json.dumps({"answered": answered, "failed": failed, "out": str(out)}))
    else:
        click.echo(f"{answered:,} files answered, {failed:,} failed: {out}")
    if failed:
        raise DataError(f"{failed:,} of {answered + failed:,} files failed; {out} tells which.")


def _answers(clients: "Clients", job: "BatchJob", instances: Path, digest: str) -> "Iterator[Answer]":
    from roadworthy.pipeline.bulk.ask import Answer
    from roadworthy.serving.contract import LABEL, SCORES
    from roadworthy.serving.vertex.batch import run_batch

    def tell(state: str) -> None:
        click.echo(f"batch prediction job: {state} …", err=True)

    for key, prediction, error in run_batch(clients, job, instances, digest, tell=tell):
        if error is not None or prediction is None:
            yield Answer(key, error=error or "no prediction")
        else:
            score = round(float(max(prediction[SCORES])), 6)
            yield Answer(key, {"label": str(prediction[LABEL]), "score": score})
