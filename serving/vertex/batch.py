"""Batch prediction at Vertex AI: files as instances on gs://, one job, answers from gs://."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from roadworthy.serving.errors import DeployError
from roadworthy.serving.vertex.ask import instance_of
from roadworthy.serving.vertex.clients import Clients
from roadworthy.serving.vertex.errors import refusal, telling
from roadworthy.serving.vertex.settings import Machine
from roadworthy.serving.vertex.spec import machine_spec
from roadworthy.serving.vertex.staging import GS

# A key of a filter, in which a dash would be an operator.
INPUT_LABEL: Final = "roadworthy_input"
_KEY: Final = "key"
_RESULTS: Final = "prediction.results-"
_ERRORS: Final = "prediction.errors_stats-"
_DIGITS: Final = 32


@dataclass(frozen=True)
class BatchJob:
    """One question about many files.

    Attributes:
        model: resource name, with a version or an alias.
        name: for people.
        folder: gs:// folder for instances and answers.
        machine: of each replica; `replicas` to `max_replicas` of them.
    """

    model: str
    name: str
    folder: str
    machine: Machine


def write_instances(files: Iterable[str], target: Path) -> tuple[str, dict[str, str]]:
    """Writes files as instances, a line each, with the file's path as its key.

    Args:
        files: paths of JPEG or PNG files.
        target: file to write.

    Returns:
        The first half of the SHA-256 sum of what was written, and what is wrong with each file that was left out.
    """
    total, unread = hashlib.sha256(), {}
    with target.open("wb") as out:
        for file in files:
            try:
                instance = instance_of(Path(file).read_bytes())
            except OSError as error:
                unread[file] = f"must be a readable file. Received: {error.strerror}"
                continue
            line = json.dumps({_KEY: file, **instance}).encode() + b"\n"
            total.update(line)
            out.write(line)
    return total.hexdigest()[:_DIGITS], unread


def pinned(clients: Clients, job: BatchJob) -> BatchJob:
    """The question with its version by number: an alias may be another version's by the time that answers come.

    Raises:
        DeployError: there is no such version.
    """
    with telling(f"Looking at {job.model.rpartition('/')[2]}", clients.place):
        found = clients.models.get_model({"name": job.model}, **clients.reading)
    return replace(job, model=f"{job.model.partition('@')[0]}@{found.version_id}")


def run_batch(
    clients: Clients, job: BatchJob, instances: Path, digest: str, *, tell: Callable[[str], None] = lambda state: None
) -> Iterator[tuple[str, dict[str, Any] | None, str | None]]:
    """Asks about instances, and waits. A job about the same instances that an interrupted call left is waited for.

    Args:
        clients: of the place.
        job: the question, pinned.
        instances: as `write_instances` wrote them.
        digest: their sum.
        tell: told each state the job comes to.

    Yields:
        Key, prediction and error of each instance: one of the last two is None.

    Raises:
        DeployError: the job failed, or could not be made.
    """
    found = _find(clients, job, digest) or _start(clients, job, instances, digest)
    done = _wait(clients, found, job.name, tell)
    with telling(f"Reading the answers at {done.output_info.gcs_output_directory}", clients.place):
        yield from _answers(clients, done.output_info.gcs_output_directory)


def _find(clients: Clients, job: BatchJob, digest: str) -> str | None:
    """A job about the same that is under way, or whose answers are all there."""
    from google.cloud.aiplatform_v1 import JobState

    over = (JobState.JOB_STATE_FAILED, JobState.JOB_STATE_CANCELLED, JobState.JOB_STATE_EXPIRED)
    model, _, version = job.model.rpartition("/")[2].partition("@")
    request = {"parent": clients.place.parent, "filter": f'labels.{INPUT_LABEL}="{digest}"'}
    with telling("Listing batch prediction jobs", clients.place):
        for found in clients.jobs.list_batch_prediction_jobs(request, **clients.reading):
            asked = (found.model.rpartition("/")[2].partition("@")[0], found.model_version_id)
            if asked == (model, version) and found.state not in over and not _is_spent(clients, found):
                return str(found.name)
    return None


def _is_spent(clients: Clients, job: Any) -> bool:
    """Whether a job has ended without an answer to every instance, or its answers have been removed since."""
    folder = job.output_info.gcs_output_directory
    return bool(job.completion_stats.failed_count) or (bool(folder) and not _outputs(clients, folder))


def _start(clients: Clients, job: BatchJob, instances: Path, digest: str) -> str:
    source = f"{job.folder}/{digest}/instances.jsonl"
    bucket, _, name = source.removeprefix(GS).partition("/")
    with telling(f"Copying instances to {source}", clients.place):
        from google.cloud import storage

        blob = storage.Client(project=clients.place.project).bucket(bucket).blob(name)
        blob.upload_from_filename(str(instances), timeout=clients.place.call_s)
    request: dict[str, Any] = {
        "display_name": job.name,
        "model": job.model,
        "input_config": {"instances_format": "jsonl", "gcs_source": {"uris": [source]}},
        "instance_config": {"instance_type": "object", "key_field": _KEY},
        "output_config": {
            "predictions_format": "jsonl",
            "gcs_destination": {"output_uri_prefix": f"{job.folder}/{digest}"},
        },
        "dedicated_resources": {
            "machine_spec": machine_spec(job.machine),
            "starting_replica_count": job.machine.replicas,
            "max_replica_count": job.machine.max_replicas or job.machine.replicas,
        },
        "labels": {**clients.place.labels, INPUT_LABEL: digest},
    }
    if clients.place.serving_account:
        request["service_account"] = clients.place.serving_account
    if clients.place.kms_key:
        request["encryption_spec"] = {"kms_key_name": clients.place.kms_key}
    with telling(f"Making a batch prediction job of {job.model.rpartition('/')[2]}", clients.place):
        made = clients.jobs.create_batch_prediction_job(
            {"parent": clients.place.parent, "batch_prediction_job": request}, **clients.changing
        )
    return str(made.name)


def _wait(clients: Clients, name: str, shown: str, tell: Callable[[str], None]) -> Any:
    from google.cloud.aiplatform_v1 import JobState
    from google.rpc import code_pb2

    told, until = "", time.monotonic() + clients.place.operation_s
    while True:
        with telling(f"Looking at batch prediction job {shown}", clients.place):
            job = clients.jobs.get_batch_prediction_job({"name": name}, **clients.reading)
        state = job.state.name.removeprefix("JOB_STATE_").lower()
        if state != told:
            tell(state)
            told = state
        if job.state in (JobState.JOB_STATE_SUCCEEDED, JobState.JOB_STATE_PARTIALLY_SUCCEEDED):
            return job
        if job.state in (JobState.JOB_STATE_FAILED, JobState.JOB_STATE_CANCELLED, JobState.JOB_STATE_EXPIRED):
            code = code_pb2.Code.Name(job.error.code) if job.error.code else "CANCELLED"
            said = job.error.message or f"it is {state}"
            raise refusal(code, said, doing=f"Batch prediction job {shown}", place=clients.place)
        if time.monotonic() >= until:
            raise DeployError(
                f"Batch prediction job {shown} must be done within {clients.place.operation_s:g} s. Received: {state}. "
                f"{name} goes on; the same command waits for it again. deploy.operation_s allows more time.",
                code="DEADLINE_EXCEEDED",
            )
        time.sleep(clients.place.poll_s)


def _answers(clients: Clients, folder: str) -> Iterator[tuple[str, dict[str, Any] | None, str | None]]:
    for kind, blob in _outputs(clients, folder):
        with blob.open("r", encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                error = None if kind.startswith(_RESULTS) else str(record.get("error", "it failed"))
                yield str(record.get(_KEY, "")), record.get("prediction"), error


def _outputs(clients: Clients, folder: str) -> list[tuple[str, Any]]:
    """The objects of a job with answers or errors, by their names."""
    from google.cloud import storage

    bucket, _, prefix = folder.removeprefix(GS).partition("/")
    listed = storage.Client(project=clients.place.project).list_blobs(bucket, prefix=f"{prefix}/")
    named = [(blob.name.removeprefix(f"{prefix}/"), blob) for blob in listed]
    return [one for one in named if one[0].startswith((_RESULTS, _ERRORS))]
