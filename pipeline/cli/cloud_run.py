"""A config's run on Vertex AI or Kubeflow: submitted, followed, told of."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, TextIO

import click

from roadworthy.pipeline.platforms import PlatformName
from roadworthy.serving.errors import DeployError

if TYPE_CHECKING:
    from roadworthy.pipeline.config import RunConfig
    from roadworthy.pipeline.runners.cloud.platform import Run, Task


def tell_job(
    settings: "RunConfig",
    platform: PlatformName,
    *,
    values: tuple[str, ...],
    as_json: bool,
    schedule: Mapping[str, str] | None = None,
) -> None:
    """Prints what would be submitted, once or by a schedule's `cron` and `name`; nothing is asked over the network."""
    from roadworthy.pipeline.cli.console import without_chatter
    from roadworthy.pipeline.parameters import cloud_of
    from roadworthy.pipeline.runners.cloud.open import job_of, open_platform

    open_platform(settings, platform)
    with without_chatter():
        job = job_of(settings, platform, values=values)
    root = f"{cloud_of(settings).pipeline_root}/{settings.name}"
    tasks = sorted(job.spec["root"]["dag"]["tasks"])
    if as_json:
        told = {"tasks": tasks, "parameters": job.values, "pipeline_root": root}
        click.echo(json.dumps(told | ({"schedule": dict(schedule)} if schedule else {}), indent=2))
        return
    for task in tasks:
        click.echo(task)
    for name, value in sorted(job.values.items()):
        click.echo(f"{name}={value}")
    when = f" by {schedule['cron']} as {schedule['name']}" if schedule else ""
    click.echo(f"Would {'schedule' if schedule else 'submit'} this to {platform}{when}, with artifacts below {root}.")


def run_in_cloud(
    settings: "RunConfig",
    platform: PlatformName,
    *,
    values: tuple[str, ...],
    run_id: str | None,
    wait: bool,
    timeout_s: float | None,
    poll_s: float,
    as_json: bool,
) -> None:
    """Submits a run and, if asked to, follows it to its end.

    Args:
        settings: checked, with a `cloud` section.
        platform: where.
        values: `name=value` words for the pipeline's parameters.
        run_id: what the run is called; None: the config's name and the time.
        wait: follow it.
        timeout_s: give up following after so long, seconds; the run goes on. None: never.
        poll_s: between two looks, seconds.
        as_json: print the run as one JSON document on stdout.

    Raises:
        DeployError: the platform said no, or the run failed.
    """
    from roadworthy.pipeline.cli.console import INTERRUPTED, without_chatter
    from roadworthy.pipeline.runners.cloud.open import job_of, open_platform
    from roadworthy.pipeline.runners.cloud.platform import follow

    terminal = sys.stderr if as_json else sys.stdout
    place = open_platform(settings, platform)
    print("compiling …", file=terminal)
    with without_chatter():
        job = job_of(settings, platform, values=values, run_id=run_id)
    run = place.submit(job)
    print(f"Submitted {run.run_id}: {run.page}", file=terminal)
    if wait:
        try:
            run = follow(
                place, run.run_id, on_task=lambda task: say_task(task, terminal), poll_s=poll_s, timeout_s=timeout_s
            )
        except KeyboardInterrupt:
            end = f"roadworthy runs CONFIG --on {platform} --cancel {run.run_id}"
            print(f"\n{run.run_id} goes on. To end it: {end}", file=sys.stderr)
            raise click.exceptions.Exit(INTERRUPTED) from None  # the same command would start another run
    if as_json:
        click.echo(json.dumps(asdict(run), indent=2))
    elif wait:
        click.echo(f"{run.run_id} {run.state}: {run.page}")
    if wait:
        refuse_failed(run, platform)


def say_task(task: "Task", terminal: TextIO) -> None:
    """One line for a task that has ended."""
    from roadworthy.pipeline.cli.console import node_line
    from roadworthy.pipeline.runners.cloud.platform import ENDED

    if task.state in ENDED:
        print(node_line(task.name, task.state, task.seconds), file=terminal, flush=True)


def refuse_failed(run: "Run", platform: PlatformName) -> None:
    """Leaves with a message that says which task failed and where to read on.

    Raises:
        DeployError: the run did not succeed.
    """
    if run.state == "succeeded":
        return
    failed = [task for task in run.tasks if task.state == "failed"]
    said = [f"- {task.name}: {task.error or 'no message'}" for task in failed] or ([run.error] if run.error else [])
    hint = f"\n  Its log: roadworthy logs CONFIG {run.run_id} {failed[0].name} --on {platform}" if failed else ""
    raise DeployError("\n".join([f"{run.run_id} must succeed. Received: it is {run.state}. {run.page}", *said]) + hint)
