"""Kubeflow Pipelines, by KFP's own client."""

import contextlib
import datetime
import io
import json
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from roadworthy.pipeline.cloud_config import CloudSettings, KubeflowSettings
from roadworthy.pipeline.compiled.file import write_spec
from roadworthy.pipeline.runners.cloud.kubeflow_errors import telling
from roadworthy.pipeline.runners.cloud.platform import Job, Run, RunState, Schedule, Task, TaskState
from roadworthy.serving.errors import ConfigError, DeployError

TOKEN_VARIABLE: Final = "ROADWORTHY_KUBEFLOW_TOKEN"  # noqa: S105 the variable's name
_CALL_S: Final = 60.0
_PAGE: Final = 100
_LOG: Final = "/apis/v1beta1/runs/{run_id}/nodes/{node}/log"

_RUN_STATES: Final[dict[str, RunState]] = {
    "PENDING": "pending",
    "RUNNING": "running",
    "SUCCEEDED": "succeeded",
    "SKIPPED": "succeeded",
    "FAILED": "failed",
    "CANCELING": "cancelling",
    "CANCELED": "cancelled",
    "PAUSED": "paused",
}
_TASK_STATES: Final[dict[str, TaskState]] = {
    "PENDING": "pending",
    "RUNNING": "running",
    "SUCCEEDED": "done",
    "CACHED": "cached",
    "SKIPPED": "skipped",
    "FAILED": "failed",
    "CANCELING": "running",
    "CANCELED": "cancelled",
}
# What the engine itself adds to a run: the graph, and a driver beside every node.
_NOT_A_NODE: Final = ("root", "root-driver")


class Kubeflow:
    """A Kubeflow Pipelines API server."""

    def __init__(self, cloud: CloudSettings, *, name: str) -> None:
        """Connects to nothing yet.

        Args:
            cloud: with its `kubeflow` section.
            name: of the pipeline; its runs are one experiment.

        Raises:
            ConfigError: the section is missing, or the token's file can't be read.
        """
        if cloud.kubeflow is None:
            raise ConfigError("cloud.kubeflow must be given to run on Kubeflow. Received: no such section.")
        self._cloud, self._settings, self._name = cloud, cloud.kubeflow, name
        self._made: Any = None
        self._made_with = _token(self._settings)

    def submit(self, job: Job) -> Run:
        """Starts a run in the experiment of the pipeline's name."""
        client, experiment = self._client(), self._experiment()
        with self._telling(f"Submitting {job.run_id}"), _package(job) as package, _quiet():
            made = client.run_pipeline(
                experiment_id=experiment,
                job_name=job.run_id,
                pipeline_package_path=str(package),
                params=dict(job.values),
                pipeline_root=f"{self._cloud.pipeline_root}/{self._name}",
                service_account=self._settings.service_account,
            )
        return self._run(made)

    def look(self, run_id: str) -> Run:
        """How a run stands, with its tasks."""
        with self._telling(f"Looking at run {run_id}"):
            return self._run(self._client().get_run(run_id))

    def cancel(self, run_id: str) -> None:
        """Asks a run to end."""
        with self._telling(f"Cancelling run {run_id}"):
            self._client().terminate_run(run_id)

    def runs(self, limit: int) -> Sequence[Run]:
        """The newest runs of the pipeline's experiment."""
        with self._telling("Listing runs"):
            if (experiment := self._find_experiment()) is None:
                return []
            listed = self._client().list_runs(
                page_size=min(limit, _PAGE), sort_by="created_at desc", experiment_id=experiment
            )
        return [self._run(run) for run in listed.runs or ()]

    def logs(self, run_id: str, node: str) -> Iterator[str]:
        """The lines of a node's pod."""
        import urllib3

        with self._telling(f"Looking at run {run_id}"):
            run = self._client().get_run(run_id)
        pod = next((pod for name, pod in _pods(run) if name == node), None)
        if pod is None:
            known = ", ".join(sorted({name for name, _ in _pods(run)})) or "none yet"
            raise DeployError(f"Run {run_id} must have a node {node} that has started. Received: {known}.")
        headers = {"authorization": f"Bearer {token}"} if (token := _token(self._settings)) else {}
        pool = urllib3.PoolManager(ca_certs=str(self._settings.ca_file) if self._settings.ca_file else None)
        url = self._settings.host.rstrip("/") + _LOG.format(run_id=run_id, node=pod)
        with self._telling(f"Reading the log of {node}"):
            answer = pool.request("GET", url, headers=headers, timeout=_CALL_S, preload_content=False, retries=False)
            if answer.status >= 400:  # noqa: PLR2004 HTTP
                from kfp_server_api import ApiException

                raise ApiException(status=answer.status, reason=answer.read().decode(errors="replace"))
        left = ""
        for chunk in answer.stream():
            *lines, left = (left + chunk.decode(errors="replace")).split("\n")
            yield from lines
        if left:
            yield left

    def create_schedule(self, job: Job, *, name: str, cron: str) -> Schedule:
        """A recurring run, one at a time; what was missed while none could start is not made up for."""
        client, experiment = self._client(), self._experiment()
        with self._telling(f"Creating schedule {name}"), _package(job) as package, _quiet():
            made = client.create_recurring_run(
                experiment_id=experiment,
                job_name=name,
                cron_expression=_with_seconds(cron),
                max_concurrency=1,
                no_catchup=True,
                params=dict(job.values),
                pipeline_package_path=str(package),
                pipeline_root=f"{self._cloud.pipeline_root}/{self._name}",
                service_account=self._settings.service_account,
            )
        return _schedule(made)

    def schedules(self) -> Sequence[Schedule]:
        """The recurring runs of the pipeline's experiment."""
        with self._telling("Listing schedules"):
            if (experiment := self._find_experiment()) is None:
                return []
            return [_schedule(made) for made in self._recurring(experiment)]

    def delete_schedule(self, schedule_id: str) -> None:
        """Starts no more runs."""
        with self._telling(f"Deleting schedule {schedule_id}"):
            self._client().delete_recurring_run(schedule_id)

    def _client(self) -> Any:
        """KFP's client with the token there is now: a run may last longer than one does."""
        token = _token(self._settings)
        if self._made is None or token != self._made_with:
            self._made_with = token
            with self._telling(f"Connecting to {self._settings.host}"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                _refuse_unhealthy(self._settings, token)
                from kfp import Client

                self._made = Client(
                    host=self._settings.host,
                    namespace=self._settings.namespace,
                    existing_token=token,
                    ssl_ca_cert=str(self._settings.ca_file) if self._settings.ca_file else None,
                )
        return self._made

    def _recurring(self, experiment: str) -> Iterator[Any]:
        page = ""
        while True:
            listed = self._client().list_recurring_runs(page_token=page, page_size=_PAGE, experiment_id=experiment)
            yield from listed.recurring_runs or ()
            if not (page := listed.next_page_token or ""):
                return

    def _find_experiment(self) -> str | None:
        """The experiment's id; None before the first run, since a list makes no experiment."""
        named = {"operation": "EQUALS", "key": "display_name", "stringValue": self._name}
        found = self._client().list_experiments(filter=json.dumps({"predicates": [named]}), namespace=self._namespace())
        return str(found.experiments[0].experiment_id) if found.experiments else None

    def _experiment(self) -> str:
        """The experiment's id; it is made if it is not there."""
        with self._telling(f"Opening experiment {self._name}"), _quiet():
            return str(self._client().create_experiment(self._name, namespace=self._namespace()).experiment_id)

    def _namespace(self) -> str | None:
        """The profile's namespace; KFP's own, where there are no profiles, must not be named."""
        return None if self._settings.namespace == "kubeflow" else self._settings.namespace

    def _telling(self, doing: str) -> contextlib.AbstractContextManager[None]:
        settings = self._settings
        return telling(doing, host=settings.host, namespace=settings.namespace, token=_token(settings))

    def _run(self, run: Any) -> Run:
        error = run.error.message if run.error is not None and run.error.message else ""
        return Run(
            run_id=run.run_id,
            name=run.display_name or "",
            state=_RUN_STATES.get(run.state or "PENDING", "unknown"),
            created=run.created_at.isoformat() if run.created_at else "",
            page=f"{self._settings.host.rstrip('/')}/#/runs/details/{run.run_id}",
            tasks=tuple(_tasks(run)),
            error=error,
        )


def _refuse_unhealthy(settings: KubeflowSettings, token: str | None) -> None:
    """Asks once, since KFP's own client asks five times over half a minute and then hides the answer."""
    import kfp_server_api as api

    configuration = api.Configuration(host=settings.host.rstrip("/"))
    configuration.retries = False
    if settings.ca_file:
        configuration.ssl_ca_cert = str(settings.ca_file)
    if token:
        configuration.api_key["authorization"], configuration.api_key_prefix["authorization"] = token, "Bearer"
    api.HealthzServiceApi(api.ApiClient(configuration)).healthz_service_get_healthz(_request_timeout=_CALL_S)


def _token(settings: KubeflowSettings) -> str | None:
    if settings.token_file is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    try:
        return settings.token_file.read_text().strip()
    except OSError as error:
        # Without the name, in whose place the token itself may have been given.
        raise ConfigError(
            f"cloud.kubeflow.token_file must be a file that can be read. Received: {error.strerror}, in "
            f"{settings.token_file.parent}. Leave it out to take the token from {TOKEN_VARIABLE}."
        ) from None


def _tasks(run: Any) -> Iterator[Task]:
    for detail in _details(run):
        error = detail.error.message if detail.error is not None and detail.error.message else ""
        state = _TASK_STATES.get(detail.state or "PENDING", "unknown")
        yield Task(detail.display_name, state, _seconds(detail), error)


def _details(run: Any) -> list[Any]:
    listed = (run.run_details.task_details if run.run_details else None) or []
    own = [one for one in listed if one.display_name not in _NOT_A_NODE and not one.display_name.endswith("-driver")]
    return sorted(own, key=lambda one: (one.create_time is None, one.create_time or 0))


def _pods(run: Any) -> Iterator[tuple[str, str]]:
    """Node and pod of every node that has started."""
    for detail in _details(run):
        pods = [child.pod_name for child in detail.child_tasks or () if child.pod_name]
        pod = pods[-1] if pods else detail.pod_name
        if pod:
            yield detail.display_name, pod


def _seconds(detail: Any) -> float:
    if detail.start_time is None:
        return 0.0
    end = detail.end_time or datetime.datetime.now(tz=detail.start_time.tzinfo)
    return max(0.0, float((end - detail.start_time).total_seconds()))


def _schedule(made: Any) -> Schedule:
    cron = made.trigger.cron_schedule.cron if made.trigger and made.trigger.cron_schedule else ""
    return Schedule(made.recurring_run_id, made.display_name or "", cron or "", (made.status or "").lower())


def _with_seconds(cron: str) -> str:
    """KFP's cron begins with seconds; five fields are the usual ones, from minutes on."""
    return f"0 {cron}" if len(cron.split()) == 5 else cron  # noqa: PLR2004 minute to weekday


@contextlib.contextmanager
def _package(job: Job) -> Iterator[Path]:
    """The pipeline as a file, which KFP's client wants."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pipeline.yaml")
        write_spec(path, dict(job.spec), dict(job.kubernetes))
        yield path


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """KFP's client prints links on stdout, where our JSON goes."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
