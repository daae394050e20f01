"""`roadworthy runs` and `roadworthy logs`: runs of a config, here and in the cloud."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import click

from roadworthy.pipeline.platforms import PLATFORMS, PlatformName
from roadworthy.serving.errors import ConfigError, DeployError

if TYPE_CHECKING:
    from roadworthy.pipeline.config import RunConfig
    from roadworthy.pipeline.report.record import RunRecord

LOCAL: Final = "local"
EXAMPLES: Final = """Examples:

roadworthy runs pets.yaml

roadworthy runs pets.yaml --on vertex --cancel pets-20260102-030405"""


@click.command(epilog=EXAMPLES)
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--on", "places", multiple=True, type=click.Choice([LOCAL, *PLATFORMS]), help="Default: all in the config."
)
@click.option("--run", "run_id", help="Tell of one run and its tasks.")
@click.option("--cancel", "cancelled", metavar="RUN", help="Ask a run in the cloud to end.")
@click.option(
    "--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="Newest so many of each place."
)
@click.option("--dry-run", is_flag=True, help="With --cancel: look whether the run is under way; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def runs(
    config: Path,
    places: tuple[str, ...],
    run_id: str | None,
    cancelled: str | None,
    limit: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """List the runs of a config, here and in the cloud; tell of one, or cancel one."""
    from roadworthy.pipeline.config import load_config

    if run_id is not None and cancelled is not None:
        raise click.UsageError("--run and --cancel go one at a time.")
    settings = load_config(config)
    places = places or tuple(_places(settings))
    if cancelled is not None:
        _cancel(settings, _one_platform(places), cancelled, dry_run=dry_run, as_json=as_json)
        return
    if dry_run:
        raise click.UsageError("--dry-run is for --cancel; all else here changes nothing.")
    if run_id is not None:
        if LOCAL in places and (here := _record_of(settings, run_id)):
            _tell_record(here, as_json=as_json)
        else:
            _tell(settings, _one_platform(places), run_id, as_json=as_json)
        return
    found, refused = _list(settings, places, limit)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for run in found:
            click.echo(f"{run['on']:<9} {run['state']:<10} {run['created']:<25.25} {run['run_id']}")
        if not found and not refused:
            click.echo("No runs yet.")
    if refused:
        raise DeployError("\n".join(refused))


@click.command(epilog="Example: roadworthy logs pets.yaml pets-20260102-030405 Trainer --on vertex")
@click.argument("config", type=click.Path(path_type=Path))
@click.argument("run")
@click.argument("node")
@click.option("--on", "place", type=click.Choice(["local-containers", *PLATFORMS]), help="Default: the config's cloud.")
def logs(config: Path, run: str, node: str, place: str | None) -> None:
    """Print what a node of a run wrote. A run on this machine without containers has one log, which `run` names."""
    from roadworthy.pipeline.compiled.names import plain_name
    from roadworthy.pipeline.config import load_config

    settings, node = load_config(config), plain_name(node)
    here = settings.output / "logs" / run / f"{node}.log"
    elsewhere = [one for one in _places(settings) if one != LOCAL]
    if place == "local-containers" or (place is None and (here.is_file() or not elsewhere)):
        if not here.is_file():
            raise ConfigError(
                f"{here} must be the log of a node. Received: no such file. A run on this machine without containers "
                f"has one log for all, in {here.parents[1]}."
            )
        click.echo(here.read_text(errors="replace"), nl=False)
        return
    from roadworthy.pipeline.runners.cloud.open import open_platform

    platform = cast(PlatformName, place or _one_platform(elsewhere))
    for line in open_platform(settings, platform).logs(run, node):
        click.echo(line)


def _places(settings: "RunConfig") -> Iterator[str]:
    yield LOCAL
    if settings.cloud is not None and settings.cloud.project is not None:
        yield "vertex"
    if settings.cloud is not None and settings.cloud.kubeflow is not None:
        yield "kubeflow"


def _one_platform(places: Sequence[str] | Iterator[str]) -> PlatformName:
    platforms = [place for place in places if place != LOCAL]
    if len(platforms) != 1:
        raise ConfigError(f"--on must name vertex or kubeflow. Received: {', '.join(platforms) or 'none'}.")
    return cast(PlatformName, platforms[0])


def _list(settings: "RunConfig", places: Sequence[str], limit: int) -> tuple[list[dict[str, Any]], list[str]]:
    """The runs of every place, and what places that could not be asked said."""
    from roadworthy.pipeline.runners.cloud.open import open_platform

    found: list[dict[str, Any]] = []
    refused: list[str] = []
    for place in places:
        if place == LOCAL:
            found += list(_local(settings, limit, refused))
            continue
        try:
            listed = open_platform(settings, cast(PlatformName, place)).runs(limit)
        except DeployError as error:
            refused.append(str(error))
        else:
            found += [{"on": place, **_plain(run)} for run in listed]
    return found, refused


def _local(settings: "RunConfig", limit: int, refused: list[str]) -> Iterator[dict[str, Any]]:
    """What is kept of the runs here, the newest first; what of it can't be read goes to `refused`."""
    from roadworthy.pipeline.report.record import RECORD_FILE, RUNS_DIR, read_record

    paths = sorted(settings.output.glob(f"{RUNS_DIR}/*/{RECORD_FILE}"), reverse=True)
    for path in paths[:limit]:
        try:
            record, _ = read_record(path)
        except ConfigError as error:
            refused.append(str(error))
            continue
        yield {
            "on": LOCAL,
            "run_id": record.run_id,
            "name": settings.name,
            "state": record.state,
            "created": record.run_id,
            "page": str(path),
        }


def _record_of(settings: "RunConfig", run_id: str) -> "tuple[RunRecord, Path] | None":
    """The record of a run here by its id; None if there is none."""
    from roadworthy.pipeline.report.record import read_record, record_path

    path = record_path(settings.output, run_id)
    return read_record(path) if path.is_file() else None


def _tell_record(found: "tuple[RunRecord, Path]", *, as_json: bool) -> None:
    from roadworthy.pipeline.cli.console import node_line

    record, path = found
    if as_json:
        click.echo(record.model_dump_json(indent=2))
        return
    click.echo(f"{record.run_id} {record.state}: {path}")
    for node in record.nodes:
        click.echo(node_line(node.node, node.state, node.seconds))
    if record.failure is not None:
        click.echo(record.failure.message)


def _plain(run: Any) -> dict[str, Any]:
    return {key: value for key, value in asdict(run).items() if key not in ("tasks", "error")}


def _tell(settings: "RunConfig", platform: PlatformName, run_id: str, *, as_json: bool) -> None:
    from roadworthy.pipeline.cli.cloud_run import say_task
    from roadworthy.pipeline.runners.cloud.open import open_platform

    run = open_platform(settings, platform).look(run_id)
    if as_json:
        click.echo(json.dumps(asdict(run), indent=2))
        return
    click.echo(f"{run.run_id} {run.state}: {run.page}")
    for task in run.tasks:
        say_task(task, sys.stdout)
    if run.error:
        click.echo(run.error)


def _cancel(settings: "RunConfig", platform: PlatformName, run_id: str, *, dry_run: bool, as_json: bool) -> None:
    """Asks a run to end.

    Raises:
        DeployError: it has ended, or the platform said no.
    """
    from roadworthy.pipeline.runners.cloud.open import open_platform
    from roadworthy.pipeline.runners.cloud.platform import OVER

    place = open_platform(settings, platform)
    run = place.look(run_id)
    if run.state in OVER:
        raise DeployError(f"{run_id} must be under way to be cancelled. Received: it is {run.state}. {run.page}")
    if not dry_run:
        place.cancel(run_id)
    if as_json:
        click.echo(json.dumps({"run_id": run_id, "state": run.state, "asked_to_end": not dry_run}))
        return
    click.echo(f"Would ask {run_id}, which is {run.state}, to end." if dry_run else f"{run_id} was asked to end.")
