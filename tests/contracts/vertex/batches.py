"""Batch prediction jobs, which read their instances from the local Cloud Storage and write the answers there.

Reference: https://cloud.google.com/vertex-ai/docs/reference/rpc/google.cloud.aiplatform.v1#jobservice
"""

import base64
import itertools
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from google.cloud import aiplatform_v1 as v1
from google.protobuf import empty_pb2
from google.rpc import code_pb2

from contracts.gcs.server import Gcs
from contracts.vertex.containers import Containers
from contracts.vertex.models import Models
from contracts.vertex.rules import Refused, check_labels, chosen, location_of, not_found, now, page
from roadworthy.serving.tfrecord import read_records

State = v1.JobState
_OVER = (State.JOB_STATE_SUCCEEDED, State.JOB_STATE_FAILED, State.JOB_STATE_CANCELLED)
_FORMATS = ("jsonl", "tf-record")


class Batches:
    """JobService, as far as it is about batch prediction. A job goes on by one state a look at it."""

    def __init__(self, models: Models, containers: Containers, gcs: Gcs | None) -> None:
        self._models, self._containers, self._gcs = models, containers, gcs
        self._jobs: dict[str, v1.BatchPredictionJob] = {}
        self._ids = itertools.count(8001)

    def CreateBatchPredictionJob(self, request: v1.CreateBatchPredictionJobRequest) -> v1.BatchPredictionJob:
        given = request.batch_prediction_job
        model = self._models.version(given.model)
        if not given.display_name:
            raise Refused("INVALID_ARGUMENT", "batch_prediction_job.display_name is required.")
        if given.input_config.instances_format not in _FORMATS:
            raise Refused("INVALID_ARGUMENT", f"instances_format must be one of {_FORMATS}.")
        if given.output_config.predictions_format != "jsonl":
            raise Refused("INVALID_ARGUMENT", "predictions_format must be jsonl.")
        if not given.dedicated_resources.machine_spec.machine_type:
            raise Refused("INVALID_ARGUMENT", "dedicated_resources.machine_spec.machine_type is required.")
        check_labels(dict(given.labels))
        job = v1.BatchPredictionJob(given)
        job.name = f"{request.parent}/batchPredictionJobs/{next(self._ids)}"
        job.model_version_id, job.state, job.create_time = model.version_id, State.JOB_STATE_PENDING, now()
        self._jobs[job.name] = job
        return job

    def GetBatchPredictionJob(self, request: v1.GetBatchPredictionJobRequest) -> v1.BatchPredictionJob:
        job = self.job(request.name)
        if job.state == State.JOB_STATE_PENDING:
            job.state, job.start_time = State.JOB_STATE_RUNNING, now()
        elif job.state == State.JOB_STATE_RUNNING:
            self._run(job)
        elif job.state == State.JOB_STATE_CANCELLING:
            job.state = State.JOB_STATE_CANCELLED
        return job

    def ListBatchPredictionJobs(self, request: v1.ListBatchPredictionJobsRequest) -> v1.ListBatchPredictionJobsResponse:
        found = [job for name, job in self._jobs.items() if location_of(name) == request.parent]
        return page(chosen(found, request), request, v1.ListBatchPredictionJobsResponse, "batch_prediction_jobs")

    def CancelBatchPredictionJob(self, request: v1.CancelBatchPredictionJobRequest) -> empty_pb2.Empty:
        if self.job(request.name).state not in _OVER:
            self.job(request.name).state = State.JOB_STATE_CANCELLING
        return empty_pb2.Empty()

    def job(self, name: str) -> v1.BatchPredictionJob:
        try:
            return self._jobs[name]
        except KeyError:
            raise not_found("BatchPredictionJob", name) from None

    def _run(self, job: v1.BatchPredictionJob) -> None:
        key = f"batch-{job.name.rsplit('/', 1)[1]}"
        model = self._models.version(f"{job.model.split('@')[0]}@{job.model_version_id}")
        lines, errors = [], []
        try:
            self._containers.start(key, model)
            for instance in self._instances(job):
                self._answer(key, *_keyed(instance, job.instance_config.key_field), lines, errors)
            self._containers.stop(key)
        except Refused as refused:
            job.state, job.error.message = State.JOB_STATE_FAILED, str(refused)
            job.error.code = code_pb2.Code.Value(refused.code)
            return
        folder = f"prediction-{model.display_name}-{job.create_time.strftime('%Y-%m-%dT%H:%M:%S')}"
        job.output_info.gcs_output_directory = f"{job.output_config.gcs_destination.output_uri_prefix}/{folder}"
        self._write(job, "prediction.results-00000-of-00001", lines)
        self._write(job, "prediction.errors_stats-00000-of-00001", errors)
        job.completion_stats.successful_count, job.completion_stats.failed_count = len(lines), len(errors)
        job.state, job.end_time = State.JOB_STATE_SUCCEEDED, now()

    def _answer(self, key: str, told: dict, instance: object, lines: list, errors: list) -> None:
        try:
            said = json.loads(self._containers.ask(key, json.dumps({"instances": [instance]}).encode()))
            lines.append({**told, "prediction": said["predictions"][0]})
        except Refused as refused:
            errors.append({**told, "error": {"code": 3, "message": str(refused)}})

    def _instances(self, job: v1.BatchPredictionJob) -> Iterator[object]:
        for uri in job.input_config.gcs_source.uris:
            bucket, _, pattern = uri.removeprefix("gs://").partition("/")
            prefix = pattern.split("*")[0]
            names = [name for name in self._gcs.names(bucket, prefix) if "*" in pattern or name == pattern]
            if not names:
                raise Refused("INVALID_ARGUMENT", f"No files found for {uri}.")
            for name in names:
                content = self._gcs.read(bucket, name)
                if job.input_config.instances_format == "jsonl":
                    yield from (json.loads(line) for line in content.splitlines() if line)
                else:
                    yield from ({"b64": base64.b64encode(record).decode()} for record in _records(content))

    def _write(self, job: v1.BatchPredictionJob, name: str, lines: list) -> None:
        bucket, _, prefix = job.output_info.gcs_output_directory.removeprefix("gs://").partition("/")
        content = "".join(json.dumps(line) + "\n" for line in lines).encode()
        self._gcs.buckets.put(bucket, f"{prefix}/{name}", content, {})


def _keyed(instance: object, key_field: str) -> tuple[dict, object]:
    """What an answer says of its instance, and the instance as the model gets it: without its key, if it has one."""
    if not key_field:
        return {"instance": instance}, instance
    return {"key": instance[key_field]}, {name: value for name, value in instance.items() if name != key_field}


def _records(content: bytes) -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "records").write_bytes(content)
        return list(read_records(Path(folder) / "records"))
