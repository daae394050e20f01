"""Vertex AI Pipelines, by Google's own client."""

import contextlib
import datetime
from collections.abc import Iterator, Sequence
from typing import Any, Final

from roadworthy.pipeline.cloud_config import CloudSettings
from roadworthy.pipeline.runners.cloud.platform import Job, Run, RunState, Schedule, Task, TaskState
from roadworthy.pipeline.runners.cloud.vertex_fixes import FIXES
from roadworthy.pipeline.runners.cloud.vertex_logs import read_log
from roadworthy.serving.errors import ConfigError, DeployError
from roadworthy.serving.vertex.errors import refusal, telling
from roadworthy.serving.vertex.place import Place

_CALL_S: Final = 60.0
_RUN_STATES: Final[dict[str, RunState]] = {
    "QUEUED": "pending",
    "PENDING": "pending",
    "RUNNING": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "CANCELLING": "cancelling",
    "CANCELLED": "cancelled",
    "PAUSED": "paused",
}
_TASK_STATES: Final[dict[str, TaskState]] = {
    "PENDING": "pending",
    "RUNNING": "running",
    "SUCCEEDED": "done",
    "SKIPPED": "cached",
    "FAILED": "failed",
    "CANCEL_PENDING": "running",
    "CANCELLING": "running",
    "CANCELLED": "cancelled",
    "NOT_TRIGGERED": "skipped",
}


class Vertex:
    """Vertex AI Pipelines in one project and region."""

    def __init__(self, cloud: CloudSettings, *, name: str) -> None:
        """Connects to nothing yet.

        Args:
            cloud: with a project.
            name: of the pipeline.

        Raises:
            ConfigError: the section names no project.
        """
        if cloud.project is None:
            raise ConfigError("cloud.project must be given to run on Vertex AI. Received: none.")
        self._cloud, self._name = cloud, name
        self._place = Place(project=cloud.project, region=cloud.region, service_account=cloud.service_account)

    def submit(self, job: Job) -> Run:
        """Starts a pipeline job whose id is the run's."""
        with self._telling(f"Submitting {job.run_id}"):
            made = self._jobs().create_pipeline_job(
                parent=self._place.parent,
                pipeline_job=self._job(job),
                pipeline_job_id=job.run_id,
                timeout=_CALL_S,
                retry=None,
            )
            return _run(made, self._place)

    def look(self, run_id: str) -> Run:
        """How a job stands, with its tasks."""
        with self._telling(f"Looking at run {run_id}"):
            return _run(self._get(run_id), self._place)

    def cancel(self, run_id: str) -> None:
        """Asks a job to end."""
        with self._telling(f"Cancelling run {run_id}"):
            self._jobs().cancel_pipeline_job(name=self._path("pipelineJobs", run_id), timeout=_CALL_S)

    def runs(self, limit: int) -> Sequence[Run]:
        """The newest jobs of the pipeline's name in the region."""
        request = {
            "parent": self._place.parent,
            "filter": f'display_name="{self._name}"',
            "order_by": "create_time desc",
            "page_size": limit,
        }
        with self._telling("Listing runs"):
            listed = self._jobs().list_pipeline_jobs(request=request, timeout=_CALL_S)
            return [_run(job, self._place) for job, _ in zip(listed, range(limit), strict=False)]

    def logs(self, run_id: str, node: str) -> Iterator[str]:
        """The lines of the custom job that ran a node."""
        with self._telling(f"Looking at run {run_id}"):
            tasks = {task.task_name: task for task in self._get(run_id).job_detail.task_details}
        if node not in tasks:
            known = ", ".join(tasks) or "none yet"
            raise DeployError(f"Run {run_id} must have a node {node} that has started. Received: {known}.")
        detail = tasks[node].executor_detail
        job = detail.container_detail.main_job or detail.custom_job_detail.job
        if not job:
            raise DeployError(
                f"{node} of run {run_id} must have a container to have a log. Received: none, or not yet."
            )
        with self._telling(f"Reading the log of {node}"):
            yield from read_log(self._place, job_id=job.rsplit("/", 1)[-1], timeout_s=_CALL_S)

    def create_schedule(self, job: Job, *, name: str, cron: str) -> Schedule:
        """A schedule that starts one job at a time."""
        wanted = {
            "display_name": name,
            "cron": cron,
            "max_concurrent_run_count": 1,
            "create_pipeline_job_request": {"parent": self._place.parent, "pipeline_job": self._job(job)},
        }
        with self._telling(f"Creating schedule {name}"):
            return _schedule(
                self._client("ScheduleServiceClient").create_schedule(
                    parent=self._place.parent, schedule=wanted, timeout=_CALL_S, retry=None
                )
            )

    def schedules(self) -> Sequence[Schedule]:
        """The region's schedules, without those that are known to be of another pipeline: no filter asks for that."""
        with self._telling("Listing schedules"):
            listed = self._client("ScheduleServiceClient").list_schedules(parent=self._place.parent, timeout=_CALL_S)
            return [_schedule(schedule) for schedule in listed if _pipeline_of(schedule) in ("", self._name)]

    def delete_schedule(self, schedule_id: str) -> None:
        """Starts no more jobs."""
        with self._telling(f"Deleting schedule {schedule_id}"):
            deleted = self._client("ScheduleServiceClient").delete_schedule(
                name=self._path("schedules", schedule_id), timeout=_CALL_S
            )
            try:
                deleted.result(timeout=_CALL_S)
            except TimeoutError:
                said = f"not done after {_CALL_S:g} s; it goes on over there"
                doing = f"Deleting schedule {schedule_id}"
                raise refusal("DEADLINE_EXCEEDED", said, doing=doing, place=self._place, special=FIXES) from None

    def _job(self, job: Job) -> Any:
        """The message for a run; `aiplatform.PipelineJob` would also look for the bucket, and make one, on its own."""
        from google.cloud import aiplatform_v1 as v1

        cloud = self._cloud
        return v1.PipelineJob(
            display_name=self._name,
            pipeline_spec=dict(job.spec),
            runtime_config={
                "gcs_output_directory": f"{cloud.pipeline_root}/{self._name}",
                "parameter_values": dict(job.values),
                "failure_policy": v1.PipelineFailurePolicy.PIPELINE_FAILURE_POLICY_FAIL_FAST,
            },
            labels=cloud.labels,
            service_account=cloud.service_account,
            network=cloud.network,
            encryption_spec={"kms_key_name": cloud.kms_key} if cloud.kms_key else None,
        )

    def _get(self, run_id: str) -> Any:
        return self._jobs().get_pipeline_job(name=self._path("pipelineJobs", run_id), timeout=_CALL_S)

    def _jobs(self) -> Any:
        return self._client("PipelineServiceClient")

    def _client(self, name: str) -> Any:
        from google.api_core.client_options import ClientOptions
        from google.cloud import aiplatform_v1

        return getattr(aiplatform_v1, name)(client_options=ClientOptions(api_endpoint=self._place.api_endpoint))

    def _path(self, collection: str, name: str) -> str:
        """A resource's full name; one that is full already stays as it is."""
        return name if "/" in name else f"{self._place.parent}/{collection}/{name}"

    def _telling(self, doing: str) -> contextlib.AbstractContextManager[None]:
        return telling(doing, self._place, FIXES)


def _run(job: Any, place: Place) -> Run:
    run_id = job.name.rsplit("/", 1)[-1]
    details = sorted(job.job_detail.task_details, key=lambda detail: detail.task_id)
    return Run(
        run_id=run_id,
        name=job.display_name,
        state=_RUN_STATES.get(job.state.name.removeprefix("PIPELINE_STATE_"), "unknown"),
        created=job.create_time.isoformat() if job.create_time else "",
        page=f"https://console.cloud.google.com/vertex-ai/locations/{place.region}/pipelines/runs/{run_id}"
        f"?project={place.project}",
        tasks=tuple(_task(detail) for detail in details if detail.task_name != job.display_name),
        error=job.error.message,
    )


def _task(detail: Any) -> Task:
    seconds = 0.0
    if detail.start_time:
        end = detail.end_time or datetime.datetime.now(tz=datetime.UTC)
        seconds = max(0.0, (end - detail.start_time).total_seconds())
    return Task(detail.task_name, _TASK_STATES.get(detail.state.name, "unknown"), seconds, detail.error.message)


def _pipeline_of(schedule: Any) -> str:
    return str(schedule.create_pipeline_job_request.pipeline_job.display_name)


def _schedule(schedule: Any) -> Schedule:
    return Schedule(schedule.name.rsplit("/", 1)[-1], schedule.display_name, schedule.cron, schedule.state.name.lower())
