"""`roadworthy run`: a config, from data to a published model."""

import contextlib
import datetime
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from roadworthy.pipeline.cli.options import refuse_options
from roadworthy.pipeline.platforms import PLATFORMS
from roadworthy.serving.errors import RoadworthyError, Stopped
from roadworthy.serving.redact import redact

if TYPE_CHECKING:
    from roadworthy.pipeline.config import RunConfig
    from roadworthy.pipeline.outcome import Outcome
    from roadworthy.pipeline.runners.local import NodeEvent, RunResult

    OnEvent = Callable[[NodeEvent], None]
    Runner = Callable[[RunConfig, OnEvent], RunResult]

TARGETS = ("local", "local-containers", *PLATFORMS)


@click.command(
    epilog="""Examples:

    roadworthy run examples/fashion.yaml

    roadworthy run pets.yaml --on local-containers --in-buckets

    roadworthy run pets.yaml --on vertex --set full_epochs=8 --dry-run"""
)
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--on", "target", type=click.Choice(TARGETS), default="local", show_default=True, help="Where it runs.")
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="A parameter of the compiled pipeline.")
@click.option(
    "--in-buckets",
    is_flag=True,
    help="local-containers: read and write the buckets of cloud, not this machine's folders.",
)
@click.option("--wait/--no-wait", default=True, show_default=True, help="In the cloud: follow the run to its end.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=1), help="Follow for so many seconds; the run goes on."
)
@click.option("--poll", "poll_s", type=click.FloatRange(min=0.01), default=10, help="Seconds between two looks at it.")
@click.option("--run-id", help="What the run in the cloud is called.  [default: the config's name and the time]")
@click.option("--dry-run", is_flag=True, help="Check the config, build the pipeline, list its nodes; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the finished run as one JSON document on stdout.")
def run(
    config: Path,
    target: str,
    values: tuple[str, ...],
    in_buckets: bool,
    wait: bool,
    timeout_s: float | None,
    poll_s: float,
    run_id: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run a config: data, training, compression, scorecard, gate, rehearsal, push.

    Nodes whose inputs have not changed come from the cache, so an interrupted run goes on where it stopped. Exit code
    2: no variant passed the gate, the chosen one failed its rehearsal, or the config or the data has a fault.
    """
    from roadworthy.pipeline.cli.console import quieten_tensorflow

    quieten_tensorflow()
    if in_buckets and target != "local-containers":
        raise click.UsageError(f"--in-buckets is for --on local-containers. Received: --on {target}.")
    if target not in PLATFORMS:
        only = f"is for --on {' and '.join(PLATFORMS)}. Received: --on {target}."
        refuse_options(("wait", "timeout_s", "poll_s", "run_id"), only)
    elif timeout_s is not None and not wait:
        raise click.UsageError("--timeout is how long a run is followed; with --no-wait it is not.")
    if target in PLATFORMS:
        from roadworthy.pipeline.cli.cloud_run import run_in_cloud, tell_job
        from roadworthy.pipeline.config import load_config

        settings = load_config(config)
        if dry_run:
            tell_job(settings, target, values=values, as_json=as_json)
            return
        run_in_cloud(
            settings,
            target,
            values=values,
            run_id=run_id,
            wait=wait,
            timeout_s=timeout_s,
            poll_s=poll_s,
            as_json=as_json,
        )
        return
    if target == "local" and values:
        raise click.UsageError("--set is for compiled pipelines; for --on local, change the config itself.")
    settings = _settings(config, in_buckets=in_buckets)
    if dry_run:
        list_nodes(settings, in_buckets=in_buckets, as_json=as_json)
        return
    in_containers = partial(run_in_containers, values=values, in_buckets=in_buckets)
    run_and_tell(settings, as_json=as_json, runner=run_here if target == "local" else in_containers)


def _settings(config: Path, *, in_buckets: bool) -> "RunConfig":
    """The config, checked; one whose data lies in a bucket fetches none."""
    from roadworthy.pipeline.config import load_config
    from roadworthy.pipeline.preflight import load_checked

    if not in_buckets:
        return load_checked(config)
    settings = load_config(config)
    return settings.model_copy(update={"data": settings.data.model_copy(update={"fetch": None})})


def list_nodes(settings: "RunConfig", *, in_buckets: bool = False, as_json: bool = False) -> None:
    """Prints the nodes a run would have, and where it would write."""
    from roadworthy.pipeline.build import build_pipeline
    from roadworthy.pipeline.parameters import cloud_of, parameters_of

    nodes = [component.id for component in build_pipeline(settings).components]
    output, model_root = str(settings.output), str(settings.push.model_root) if settings.push else None
    if in_buckets:
        cloud = cloud_of(settings)
        parameters_of(settings, cloud)
        output, model_root = f"{cloud.pipeline_root}/{settings.name}", cloud.model_root if settings.push else None
    if as_json:
        click.echo(json.dumps({"nodes": nodes, "output": output, "model_root": model_root}, indent=2))
        return
    pushed = f" and, if a variant passes, {model_root}" if settings.push else ""
    logs = f"; logs below {settings.output}" if in_buckets else ""
    click.echo("\n".join([*nodes, f"Would write below {output}{pushed}{logs}."]))


def run_here(settings: "RunConfig", on_event: "OnEvent") -> "RunResult":
    """Runs the nodes in this process, those of the data in as many as the config says."""
    from roadworthy.pipeline.beam.nursery import DATA_MODULES, LAST_DATA_NODE, nursery

    with contextlib.ExitStack() as data_workers:
        if settings.beam.workers > 1:
            data_workers.enter_context(nursery(*DATA_MODULES))  # which imports while this process does
        from roadworthy.pipeline.build import build_pipeline
        from roadworthy.pipeline.runners.local import run_local

        def told(event: "NodeEvent") -> None:
            on_event(event)
            if event.node == LAST_DATA_NODE and event.state != "running":
                data_workers.close()

        return run_local(build_pipeline(settings), on_event=told)


def run_in_containers(
    settings: "RunConfig", on_event: "OnEvent", *, values: Sequence[str] = (), in_buckets: bool = False
) -> "RunResult":
    """Runs the compiled pipeline, its containers as processes."""
    from roadworthy.pipeline.runners.containers.config import run_config

    return run_config(settings, values=values, in_buckets=in_buckets, on_event=on_event)


def run_and_tell(
    settings: "RunConfig", *, as_json: bool, all_variants: Path | None = None, runner: "Runner" = run_here
) -> None:
    """Runs a checked config, tells how it went, and leaves the libraries' own messages in a log file.

    Args:
        settings: checked.
        as_json: prints one JSON document in place of the table.
        all_variants: a model root to publish every variant in, under its own name, whatever the gate says of it.
        runner: runs the pipeline and tells of every node.

    Raises:
        BudgetMissed: no variant passed the gate.
        DeployError: the chosen one failed on a server.
    """
    from roadworthy.pipeline.cli.console import libraries_to
    from roadworthy.pipeline.report.record import write_record
    from roadworthy.serving.errors import BudgetMissed, DeployError

    started = datetime.datetime.now(tz=datetime.UTC)
    log = settings.output / "logs" / f"{started:%Y%m%dT%H%M%S}-{os.getpid()}.log"
    events: list[NodeEvent] = []
    with libraries_to(log, machine_stdout=as_json) as terminal:
        try:
            outcome = _execute(settings, terminal, events, runner)
            if all_variants is not None:
                outcome = outcome.with_published(all_variants)
            record = write_record(outcome.record(settings), settings.output)
        except BaseException as error:
            # Into the log, which keeps the whole story.
            print(redact(traceback.format_exc()), file=sys.stderr, end="")
            print(f"  The libraries' own messages are in {log}", file=terminal)
            if events:
                _keep_failure(settings, error, events, started=started, log=log, terminal=terminal)
            raise
    click.echo(
        json.dumps(outcome.document(), indent=2)
        if as_json
        else f"\n{outcome.text()}\nFor a page to read: roadworthy report {record}"
    )
    if not outcome.verdict.blessed:
        raise BudgetMissed(f"No variant stays within every budget, so nothing was pushed.\n{outcome.verdict.explain()}")
    if outcome.rehearsal is not None and not outcome.rehearsal.passed:
        faults = "\n".join(f"- {fault}" for fault in outcome.rehearsal.faults)
        raise DeployError(f"The chosen model failed its rehearsal on a server, so nothing was pushed.\n{faults}")


def _keep_failure(
    settings: "RunConfig",
    error: BaseException,
    events: "Sequence[NodeEvent]",
    *,
    started: datetime.datetime,
    log: Path,
    terminal: TextIO,
) -> None:
    """Records how far the run came. Where even that can't be written, the error itself is what has to be told."""
    from roadworthy.pipeline.report.record import Failure, Node, RunRecord, write_record

    interrupted = isinstance(error, KeyboardInterrupt | Stopped)
    message = str(error) if isinstance(error, RoadworthyError) else f"{type(error).__name__}: {error}".rstrip(": ")
    ended = [event for event in events if event.state != "running"]
    failed = events[-1].node if events[-1].state in {"running", "failed"} else None
    record = RunRecord(
        run_id=started.isoformat(timespec="milliseconds"),
        seconds=round((datetime.datetime.now(tz=datetime.UTC) - started).total_seconds(), 1),
        nodes=tuple(Node(node=one.node, state=one.state, seconds=round(one.seconds, 1)) for one in ended),
        config=settings.model_dump(mode="json", exclude_none=True),
        failure=Failure(node=failed, message=redact(message), interrupted=interrupted, log=str(log)),
    )
    with contextlib.suppress(OSError):
        print(f"  For a page to read: roadworthy report {write_record(record, settings.output)}", file=terminal)


def _execute(settings: "RunConfig", terminal: TextIO, events: "list[NodeEvent]", runner: "Runner") -> "Outcome":
    from roadworthy.pipeline.runners.only_run import only_run

    def told(event: "NodeEvent") -> None:
        events.append(event)
        _say(event, terminal)

    with only_run(settings.output):
        _fetch(settings, terminal)
        print("loading TFX …", file=terminal)
        result = runner(settings, told)
    from roadworthy.pipeline.outcome import read_outcome

    return read_outcome(result)


def _fetch(settings: "RunConfig", terminal: TextIO) -> None:
    fetch = settings.data.fetch
    if fetch is None:
        return
    from roadworthy.pipeline.datasets.catalog import DATASETS

    print(f"fetching {fetch.dataset} …", file=terminal)
    fetched = DATASETS[fetch.dataset](
        settings.data.path,
        split="train",
        images_per_class=fetch.images_per_class,
        cache_dir=settings.data.path.parent / "downloads",
    )
    print(f"  {fetched.images} images of {len(fetched.classes)} classes in {settings.data.path}", file=terminal)


def _say(event: "NodeEvent", terminal: TextIO) -> None:
    from roadworthy.pipeline.cli.console import node_line

    if event.state != "running":
        print(node_line(event.node, event.state, event.seconds), file=terminal)
