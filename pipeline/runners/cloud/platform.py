"""What a platform that runs pipelines can be asked, in words that are the same for all of them."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from roadworthy.pipeline.parameters import Value
from roadworthy.serving.errors import DeployError

RunState = Literal["pending", "running", "succeeded", "failed", "cancelling", "cancelled", "paused", "unknown"]
TaskState = Literal["pending", "running", "done", "cached", "failed", "skipped", "cancelled", "unknown"]
OVER: Final = ("succeeded", "failed", "cancelled")
ENDED: Final = ("done", "cached", "failed", "skipped", "cancelled")
# Of a run of hours one look may fail by these; for so long in a row they are taken for a pause.
_PASSING: Final = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED", "INTERNAL", "UNKNOWN")
AWAY_S: Final = 300.0


@dataclass(frozen=True)
class Task:
    """A node of a run; `seconds` is its wall time so far, 0.0 where it has not started."""

    name: str
    state: TaskState
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True)
class Run:
    """A run as its platform tells of it.

    Attributes:
        run_id: what the platform's commands take.
        name: of the pipeline or, where the platform does not say, of the run.
        state: of the whole.
        created: time in ISO 8601, UTC; empty where unknown.
        page: where a person can look at it.
        tasks: its nodes, in the order they were created; empty in listings.
        error: why it failed; empty otherwise.
    """

    run_id: str
    name: str
    state: RunState
    created: str = ""
    page: str = ""
    tasks: tuple[Task, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Schedule:
    """Runs by the clock.

    Attributes:
        schedule_id: what `delete` takes.
        name: a person's.
        cron: when, as the platform has it.
        state: active, paused or completed.
    """

    schedule_id: str
    name: str
    cron: str
    state: str


@dataclass(frozen=True)
class Job:
    """A compiled pipeline with the values of one run.

    Attributes:
        spec: the PipelineSpec, JSON-able.
        kubernetes: Kubeflow's PlatformSpec; empty elsewhere.
        values: of the pipeline's parameters.
        run_id: small letters, digits and dashes.
    """

    spec: Mapping[str, Any]
    kubernetes: Mapping[str, Any]
    values: Mapping[str, Value]
    run_id: str


class Platform(Protocol):
    """Vertex AI or Kubeflow. Every method raises DeployError where the far side says no or can't be reached."""

    def submit(self, job: Job) -> Run:
        """Starts a run."""

    def look(self, run_id: str) -> Run:
        """How a run stands, with its tasks."""

    def cancel(self, run_id: str) -> None:
        """Asks a run to end."""

    def runs(self, limit: int) -> Sequence[Run]:
        """The pipeline's newest runs."""

    def logs(self, run_id: str, node: str) -> Iterator[str]:
        """The lines a node wrote."""

    def create_schedule(self, job: Job, *, name: str, cron: str) -> Schedule:
        """Starts runs by the clock, the next one only after the last has ended."""

    def schedules(self) -> Sequence[Schedule]:
        """What runs the pipeline by the clock."""

    def delete_schedule(self, schedule_id: str) -> None:
        """Starts no more runs; those under way go on."""


def follow(
    platform: Platform, run_id: str, *, on_task: Callable[[Task], None], poll_s: float, timeout_s: float | None = None
) -> Run:
    """Looks at a run until it is over, and tells of every change of a task; a far side that is away is waited for.

    Raises:
        DeployError: the far side says no or stays away, or the run is not over after `timeout_s` seconds; it then goes
            on there.
    """
    told: dict[str, TaskState] = {}
    state, seen_s = "not seen yet", time.monotonic()
    until = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        try:
            run = platform.look(run_id)
        except DeployError as error:
            if error.code not in _PASSING or time.monotonic() - seen_s > AWAY_S:
                raise DeployError(f"{error}\n  {_goes_on(run_id)}", code=error.code) from error
        else:
            state, seen_s = run.state, time.monotonic()
            for task in run.tasks:
                if told.get(task.name) != task.state:
                    told[task.name] = task.state
                    on_task(task)
            if run.state in OVER:
                return run
        if until is not None and time.monotonic() + poll_s > until:
            raise DeployError(
                f"{run_id} must be over within {timeout_s:g} s. Received: it is {state}. {_goes_on(run_id)}"
            )
        time.sleep(poll_s)


def _goes_on(run_id: str) -> str:
    return f"The run goes on; look at it with: roadworthy runs CONFIG --on … --run {run_id}"
