"""`roadworthy schedule`: runs by the clock, on Vertex AI or Kubeflow."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from roadworthy.pipeline.platforms import PLATFORMS, PlatformName

_CONFIG = click.argument("config", type=click.Path(path_type=Path))
_ON = click.option("--on", "platform", type=click.Choice(PLATFORMS), required=True)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


@click.group()
def schedule() -> None:
    """Runs of a config by the clock, in the cloud."""


@schedule.command(epilog='Example: roadworthy schedule create pets.yaml --on vertex --cron "0 3 * * 1"')
@_CONFIG
@_ON
@click.option("--cron", required=True, help='Minute, hour, day, month, weekday: "0 3 * * 1" is Mondays at three.')
@click.option("--name", help="Default: the config's name.")
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="A parameter of the compiled pipeline.")
@click.option("--dry-run", is_flag=True, help="Compile, print what would be scheduled; ask nobody.")
@_JSON
def create(
    config: Path,
    platform: PlatformName,
    cron: str,
    name: str | None,
    values: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Start runs by the clock, the next only after the last has ended."""
    from roadworthy.pipeline.cli.cloud_run import tell_job
    from roadworthy.pipeline.cli.console import quieten_tensorflow, without_chatter
    from roadworthy.pipeline.config import load_config
    from roadworthy.pipeline.cron import check_cron
    from roadworthy.pipeline.runners.cloud.open import job_of, open_platform

    settings, cron = load_config(config), check_cron(cron, platform)
    quieten_tensorflow()
    if dry_run:
        schedule = {"name": name or settings.name, "cron": cron}
        tell_job(settings, platform, values=values, as_json=as_json, schedule=schedule)
        return
    place = open_platform(settings, platform)
    with without_chatter():
        job = job_of(settings, platform, values=values)
    made = place.create_schedule(job, name=name or settings.name, cron=cron)
    click.echo(json.dumps(asdict(made), indent=2) if as_json else f"{made.schedule_id} {made.cron} {made.name}")


@schedule.command("list", epilog="Example: roadworthy schedule list pets.yaml --on kubeflow")
@_CONFIG
@_ON
@_JSON
def list_(config: Path, platform: PlatformName, as_json: bool) -> None:
    """List what runs by the clock."""
    from roadworthy.pipeline.config import load_config
    from roadworthy.pipeline.runners.cloud.open import open_platform

    found = open_platform(load_config(config), platform).schedules()
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    for one in found:
        click.echo(f"{one.schedule_id} {one.state:<10} {one.cron:<16} {one.name}")
    if not found:
        click.echo("No schedules yet.")


@schedule.command(epilog="Example: roadworthy schedule delete pets.yaml 3001 --on vertex")
@_CONFIG
@click.argument("schedule_id")
@_ON
@click.option("--dry-run", is_flag=True, help="Look whether it is there; change nothing.")
@_JSON
def delete(config: Path, schedule_id: str, platform: PlatformName, dry_run: bool, as_json: bool) -> None:
    """Start no more runs by a schedule; those under way go on."""
    from roadworthy.pipeline.config import load_config
    from roadworthy.pipeline.runners.cloud.open import open_platform
    from roadworthy.serving.errors import DeployError

    place = open_platform(load_config(config), platform)
    if not dry_run:
        place.delete_schedule(schedule_id)
        click.echo(json.dumps({"schedule_id": schedule_id, "deleted": True}) if as_json else f"{schedule_id} deleted.")
        return
    found = next((one for one in place.schedules() if one.schedule_id == schedule_id), None)
    if found is None:
        raise DeployError(f"{schedule_id} must be a schedule of {config}. Received: none of that id on {platform}.")
    if as_json:
        click.echo(json.dumps({**asdict(found), "deleted": False}, indent=2))
        return
    click.echo(f"Would delete {found.schedule_id} {found.cron} {found.name}.")
