"""`roadworthy deploy`, `promote`, `rollback` and `status`: a model on its way to all traffic."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from roadworthy.pipeline.config import RunConfig
    from roadworthy.serving.rollout.actions import Action
    from roadworthy.serving.rollout.check import Measured
    from roadworthy.serving.rollout.plan import Plan
    from roadworthy.serving.rollout.run import Rollout
    from roadworthy.serving.rollout.state import Seen

DEPLOY_EXAMPLES: Final = """Examples:

roadworthy deploy served/fashion/3 --to vertex --config fashion.yaml --dry-run

roadworthy deploy served/fashion/3 --to vertex --config fashion.yaml --held photos/test

roadworthy deploy exported/int8 --to tf-serving --config fashion.yaml --no-wait"""
_CONFIG: Final = click.argument("config", type=click.Path(path_type=Path))
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print how things stand as one JSON document.")
_DRY_RUN: Final = click.option("--dry-run", is_flag=True, help="Look, and list what would be done; change nothing.")
_TO: Final = click.option("--to", type=click.Choice(["vertex", "tf-serving"]), help="In place of deploy.to.")
_WAIT: Final = click.option(
    "--wait/--no-wait", default=True, show_default=True, help="Wait out the grace time of the old version."
)


@click.command(epilog=DEPLOY_EXAMPLES)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--config", required=True, type=click.Path(path_type=Path), help="YAML of a run, with a deploy section.")
@_TO
@click.option("--held", type=click.Path(path_type=Path), help="Images to check with, in place of deploy.held.")
@click.option("--run", "run_id", help="Id of the run that made it, for the version's labels.")
@click.option("--again", is_flag=True, help="Try a model once more that was taken back.")
@_WAIT
@_DRY_RUN
@_JSON
def deploy(model: Path, config: Path, **given: Any) -> None:
    """Bring MODEL, a version folder, to all traffic in checked steps.

    It is deployed without traffic, then gets the shares that deploy.ramp.steps names. At each, held images are sent to
    it and to the champion; if it fails too often, is slow or disagrees, all traffic goes back and the exit code is 2.
    Interrupted anywhere, the same command finds out how things stand and goes on.
    """
    from roadworthy.pipeline.deploying import held_images, target_of
    from roadworthy.serving.errors import ConfigError
    from roadworthy.serving.rollout.check import Checker
    from roadworthy.serving.rollout.digest import digest_label
    from roadworthy.serving.rollout.plan import deploying
    from roadworthy.serving.rollout.run import Rollout

    settings = _settings(config, to=given["to"])
    deploy = settings.deploy
    assert deploy is not None
    target = target_of(settings, model, run=given["run_id"])
    digest = digest_label(model)
    held = given["held"] or deploy.held
    if held is None:
        raise ConfigError("--held or deploy.held must name a folder of images to check with. Received: neither.")
    checker = Checker(held_images(held, deploy.ramp), deploy.ramp)
    plan = deploying(digest, deploy.ramp, again=given["again"])
    rollout = Rollout(target, plan, checker, waits_grace=given["wait"])
    _go(rollout, digest=digest, dry_run=given["dry_run"], as_json=given["as_json"])


@click.command(epilog="Example: roadworthy promote fashion.yaml")
@_CONFIG
@_TO
@_WAIT
@_DRY_RUN
@_JSON
def promote(config: Path, to: str | None, wait: bool, dry_run: bool, as_json: bool) -> None:
    """Make the challenger the champion at once, without further checks, and tidy up after it."""
    from roadworthy.pipeline.deploying import deploy_settings, target_of
    from roadworthy.serving.rollout.plan import promoting
    from roadworthy.serving.rollout.run import Rollout

    settings = _settings(config, to=to)
    rollout = Rollout(target_of(settings), promoting(deploy_settings(settings).ramp), waits_grace=wait)
    _go(rollout, dry_run=dry_run, as_json=as_json)


@click.command(epilog="Example: roadworthy rollback fashion.yaml --dry-run")
@_CONFIG
@_TO
@_DRY_RUN
@_JSON
def rollback(config: Path, to: str | None, dry_run: bool, as_json: bool) -> None:
    """Take the challenger back or, where there is none, go back from the champion to the version before it."""
    from roadworthy.pipeline.deploying import target_of
    from roadworthy.serving.rollout.plan import rolling_back, to_take_back
    from roadworthy.serving.rollout.run import Rollout

    target = target_of(_settings(config, to=to))
    rollout = Rollout(target, rolling_back(to_take_back(target.look())))
    _go(rollout, dry_run=dry_run, as_json=as_json)


@click.command(epilog="Example: roadworthy status fashion.yaml --json")
@_CONFIG
@_TO
@_JSON
def status(config: Path, to: str | None, as_json: bool) -> None:
    """Tell which versions there are, what they are called, and who has the traffic; change nothing."""
    from roadworthy.pipeline.deploying import target_of

    seen = target_of(_settings(config, to=to)).look()
    click.echo(json.dumps(seen.document(), indent=2) if as_json else _table(seen))


def _settings(config: Path, *, to: str | None = None) -> "RunConfig":
    """The config, with a `deploy` section that goes where the command line says."""
    from roadworthy.pipeline.config import load_config
    from roadworthy.pipeline.deploying import deploy_settings

    settings = load_config(config)
    deploy = deploy_settings(settings)
    return settings.model_copy(update={"deploy": deploy.model_copy(update={"to": to})}) if to else settings


def _go(rollout: "Rollout", *, digest: str = "", dry_run: bool, as_json: bool) -> None:
    """Carries a plan out, or lists what it would do."""
    if dry_run:
        _forecast(rollout.target.look(), rollout.plan, digest=digest, waits=rollout.waits_grace, as_json=as_json)
        return
    rollout.tell, rollout.told_measured = _tell, _tell_measured
    seen = rollout.run()
    if as_json:
        told = {"actions": [str(action) for action in rollout.done], **seen.document()}
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(_table(seen))


def _forecast(seen: "Seen", plan: "Plan", *, digest: str, waits: bool, as_json: bool) -> None:
    from roadworthy.serving.rollout.forecast import forecast

    actions = [str(action) for action in forecast(seen, plan, digest=digest, waits_grace=waits)]
    if as_json:
        click.echo(json.dumps({"actions": actions, **seen.document()}, indent=2))
        return
    click.echo("Would do, if every check passes:" if actions else "Nothing is left to do.")
    for action in actions:
        click.echo(f"  {action}")


def _tell(action: "Action") -> None:
    click.echo(f"{action} …", err=True)


def _tell_measured(measured: "Measured") -> None:
    click.echo(f"  {measured}", err=True)


def _table(seen: "Seen") -> str:
    """A line a version."""
    if not seen.versions:
        return "No version yet."
    lines = [f"{'version':<8} {'traffic':>8}  {'':<24} note"]
    for one in seen.versions:
        share = f"{seen.percent(one)}%" if seen.runs(one) else "-"
        note = f"taken back: {one.refused}" if one.refused else ""
        lines.append(f"{one.number:<8} {share:>8}  {', '.join(sorted(one.aliases)):<24} {note}".rstrip())
    return "\n".join(lines)
