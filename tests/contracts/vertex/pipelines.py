"""Pipeline jobs and their schedules. A job goes on by one state a look at it; what it does is the test's to say.

Reference: https://cloud.google.com/vertex-ai/docs/reference/rpc/google.cloud.aiplatform.v1#pipelineservice
"""

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

from google.cloud import aiplatform_v1 as v1
from google.protobuf import empty_pb2
from google.rpc import code_pb2

from contracts.vertex.operations import Operations
from contracts.vertex.rules import Refused, check_labels, chosen, location_of, not_found, now, page

_JOB_ID = re.compile(r"[a-z0-9]([a-z0-9-]{0,126}[a-z0-9])?")
State = v1.PipelineState
Task = v1.PipelineTaskDetail
_OVER = (State.PIPELINE_STATE_SUCCEEDED, State.PIPELINE_STATE_FAILED, State.PIPELINE_STATE_CANCELLED)


def run_nothing(job: v1.PipelineJob) -> Iterator[None]:
    """A job whose tasks succeed one after the other, without doing anything."""
    spec = v1.PipelineJob.pb(job).pipeline_spec
    for number, name in enumerate(spec["root"]["dag"]["tasks"] if "root" in spec else (), start=1):
        done = Task(task_id=number, task_name=name, state=Task.State.RUNNING, start_time=now())
        job.job_detail.task_details.append(done)
        yield
        job.job_detail.task_details[-1].state = Task.State.SUCCEEDED
        job.job_detail.task_details[-1].end_time = now()


class Pipelines:
    """PipelineService.

    Attributes:
        run: what a job does, in steps, one a look at it; an error it raises fails the job with its message. It may
            fill in `job.job_detail`.
    """

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._jobs: dict[str, v1.PipelineJob] = {}
        self._steps: dict[str, Iterator[None]] = {}
        self._ids = itertools.count(1)
        self.run: Callable[[v1.PipelineJob], Iterator[None]] = run_nothing

    def CreatePipelineJob(self, request: v1.CreatePipelineJobRequest) -> v1.PipelineJob:
        return self.create(request.parent, request.pipeline_job, request.pipeline_job_id)

    def create(self, parent: str, given: v1.PipelineJob, job_id: str = "") -> v1.PipelineJob:
        """Starts a job."""
        if job_id and not _JOB_ID.fullmatch(job_id):
            raise Refused("INVALID_ARGUMENT", f"Invalid pipeline_job_id: {job_id}")
        if not given.runtime_config.gcs_output_directory.startswith("gs://"):
            raise Refused("INVALID_ARGUMENT", "runtime_config.gcs_output_directory must be a gs:// URI.")
        if not (given.pipeline_spec or given.template_uri):
            raise Refused("INVALID_ARGUMENT", "pipeline_spec or template_uri is required.")
        check_labels(dict(given.labels))
        name = f"{parent}/pipelineJobs/{job_id or f'pipeline-{next(self._ids)}'}"
        if name in self._jobs:
            raise Refused("ALREADY_EXISTS", f"PipelineJob {name} already exists.")
        job = v1.PipelineJob(given)
        job.name, job.create_time, job.update_time = name, now(), now()
        job.state = State.PIPELINE_STATE_PENDING
        self._jobs[name] = job
        return job

    def GetPipelineJob(self, request: v1.GetPipelineJobRequest) -> v1.PipelineJob:
        job = self.job(request.name)
        self._advance(job)
        return job

    def ListPipelineJobs(self, request: v1.ListPipelineJobsRequest) -> v1.ListPipelineJobsResponse:
        found = [job for name, job in self._jobs.items() if location_of(name) == request.parent]
        return page(chosen(found, request), request, v1.ListPipelineJobsResponse, "pipeline_jobs")

    def CancelPipelineJob(self, request: v1.CancelPipelineJobRequest) -> empty_pb2.Empty:
        job = self.job(request.name)
        if job.state not in _OVER:
            job.state = State.PIPELINE_STATE_CANCELLING
        return empty_pb2.Empty()

    def DeletePipelineJob(self, request: v1.DeletePipelineJobRequest) -> Any:
        if self.job(request.name).state not in _OVER:
            raise Refused("FAILED_PRECONDITION", f"{request.name} is still running; cancel it first.")

        def drop() -> empty_pb2.Empty:
            del self._jobs[request.name]
            return empty_pb2.Empty()

        return self._operations.begin("DeletePipelineJob", location_of(request.name), drop)

    def job(self, name: str) -> v1.PipelineJob:
        try:
            return self._jobs[name]
        except KeyError:
            raise not_found("PipelineJob", name) from None

    def jobs(self) -> list[v1.PipelineJob]:
        """Every job, oldest first."""
        return list(self._jobs.values())

    def _advance(self, job: v1.PipelineJob) -> None:
        if job.state in _OVER:
            return
        job.update_time = now()
        if job.state == State.PIPELINE_STATE_CANCELLING:
            self._end(job, State.PIPELINE_STATE_CANCELLED)
        elif job.state == State.PIPELINE_STATE_PENDING:
            job.state, job.start_time = State.PIPELINE_STATE_RUNNING, now()
            self._steps[job.name] = self.run(job)
        else:
            self._step(job)

    def _step(self, job: v1.PipelineJob) -> None:
        try:
            next(self._steps[job.name])
        except StopIteration:
            self._end(job, State.PIPELINE_STATE_SUCCEEDED)
        except Exception as error:
            job.error.code = code_pb2.Code.Value(getattr(error, "code", "INTERNAL"))
            job.error.message = str(error)
            self._end(job, State.PIPELINE_STATE_FAILED)

    @staticmethod
    def _end(job: v1.PipelineJob, state: State) -> None:
        job.state, job.end_time = state, now()


class Schedules:
    """ScheduleService; nothing starts by the clock: a test calls `fire`."""

    def __init__(self, operations: Operations, pipelines: Pipelines) -> None:
        self._operations, self._pipelines = operations, pipelines
        self._schedules: dict[str, v1.Schedule] = {}
        self._ids = itertools.count(3001)

    def CreateSchedule(self, request: v1.CreateScheduleRequest) -> v1.Schedule:
        given = request.schedule
        if not given.display_name:
            raise Refused("INVALID_ARGUMENT", "schedule.display_name is required.")
        fields = given.cron.rpartition("TZ=")[2].split(" ")
        if len(fields[1:] if "TZ=" in given.cron else fields) != 5:
            raise Refused("INVALID_ARGUMENT", f"Invalid cron expression: {given.cron}")
        if given.max_concurrent_run_count < 1:
            raise Refused("INVALID_ARGUMENT", "max_concurrent_run_count must be at least 1.")
        schedule = v1.Schedule(given)
        schedule.name = f"{request.parent}/schedules/{next(self._ids)}"
        schedule.state, schedule.create_time = v1.Schedule.State.ACTIVE, now()
        self._schedules[schedule.name] = schedule
        return schedule

    def GetSchedule(self, request: v1.GetScheduleRequest) -> v1.Schedule:
        return self.schedule(request.name)

    def ListSchedules(self, request: v1.ListSchedulesRequest) -> v1.ListSchedulesResponse:
        found = [one for name, one in self._schedules.items() if location_of(name) == request.parent]
        return page(chosen(found, request), request, v1.ListSchedulesResponse, "schedules")

    def UpdateSchedule(self, request: v1.UpdateScheduleRequest) -> v1.Schedule:
        schedule = self.schedule(request.schedule.name)
        for path in request.update_mask.paths:
            setattr(schedule, path, getattr(request.schedule, path))
        return schedule

    def PauseSchedule(self, request: v1.PauseScheduleRequest) -> empty_pb2.Empty:
        self.schedule(request.name).state = v1.Schedule.State.PAUSED
        return empty_pb2.Empty()

    def ResumeSchedule(self, request: v1.ResumeScheduleRequest) -> empty_pb2.Empty:
        self.schedule(request.name).state = v1.Schedule.State.ACTIVE
        return empty_pb2.Empty()

    def DeleteSchedule(self, request: v1.DeleteScheduleRequest) -> Any:
        self.schedule(request.name)

        def drop() -> empty_pb2.Empty:
            del self._schedules[request.name]
            return empty_pb2.Empty()

        return self._operations.begin("DeleteSchedule", location_of(request.name), drop)

    def schedule(self, name: str) -> v1.Schedule:
        try:
            return self._schedules[name]
        except KeyError:
            raise not_found("Schedule", name) from None

    def fire(self, name: str) -> v1.PipelineJob | None:
        """Starts the schedule's pipeline as its cron would; None while it is paused."""
        schedule = self.schedule(name)
        if schedule.state != v1.Schedule.State.ACTIVE:
            return None
        schedule.started_run_count += 1
        asked = schedule.create_pipeline_job_request
        return self._pipelines.create(asked.parent, asked.pipeline_job)
