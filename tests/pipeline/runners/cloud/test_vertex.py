"""Vertex AI Pipelines by Google's own client, unpatched, against the local Vertex AI and Cloud Storage."""

import http.server
import json
import threading

import pytest
from google.cloud import aiplatform_v1 as v1

from contracts.vertex.server import Fault
from roadworthy.pipeline.cloud_config import CloudSettings
from roadworthy.pipeline.runners.cloud.platform import Job, follow
from roadworthy.pipeline.runners.cloud.vertex import Vertex
from roadworthy.serving.errors import ConfigError, DeployError
from roadworthy.serving.vertex.place import ENDPOINT_VARIABLE

TASK = {"componentRef": {"name": "a"}, "taskInfo": {"name": "a"}}
SPEC = {
    "pipelineInfo": {"name": "shop"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "tests",
    "components": {"a": {"executorLabel": "a"}},
    "deploymentSpec": {"executors": {"a": {"container": {"image": "i"}}}},
    "root": {
        "inputDefinitions": {"parameters": {"word": {"parameterType": "STRING"}}},
        "dag": {"tasks": {"Ingest": TASK, "Trainer": TASK}},
    },
}
KEY = "projects/demo/locations/us-central1/keyRings/ml/cryptoKeys/runs"
CLOUD = CloudSettings(
    project="demo-1234",
    region="us-central1",
    pipeline_root="gs://rw-bucket/pipelines",
    image="i",
    service_account="trainer@demo.iam.gserviceaccount.com",
    network="projects/123/global/networks/ml",
    kms_key=KEY,
    labels={"team": "vision"},
)
JOB = Job(SPEC, {}, {"word": "given"}, "shop-1")
FINE = [("Ingest", "running"), ("Ingest", "done"), ("Trainer", "running"), ("Trainer", "done")]


@pytest.fixture
def place(vertex, monkeypatch):
    monkeypatch.setenv(ENDPOINT_VARIABLE, f"https://{vertex.address}/")
    return Vertex(CLOUD, name="shop")


def followed(place, run_id: str):
    told = []
    run = follow(place, run_id, on_task=lambda task: told.append((task.name, task.state)), poll_s=0.001, timeout_s=60)
    return run, told


def only_job(vertex):
    (job,) = vertex.pipelines.jobs()
    return job


def test_a_run_is_submitted_as_the_config_says_and_followed_to_its_end(place, vertex):
    submitted = place.submit(JOB)
    run, told = followed(place, submitted.run_id)

    job = only_job(vertex)
    assert submitted.run_id == "shop-1"
    assert job.runtime_config.gcs_output_directory == "gs://rw-bucket/pipelines/shop"
    assert dict(job.runtime_config.parameter_values) == {"word": "given"}
    assert (job.service_account, job.network) == (CLOUD.service_account, CLOUD.network)
    assert (job.encryption_spec.kms_key_name, job.labels["team"]) == (KEY, "vision")
    assert (run.state, sorted(told)) == ("succeeded", sorted(FINE))
    assert [one.run_id for one in place.runs(5)] == ["shop-1"]
    assert Vertex(CLOUD, name="another").runs(5) == []


def test_a_run_that_fails_says_why(place, vertex):
    def run(job):
        job.job_detail.task_details.append(
            v1.PipelineTaskDetail(task_id=1, task_name="Trainer", state=v1.PipelineTaskDetail.State.FAILED)
        )
        yield
        raise RuntimeError("The replica workerpool0-0 ran out of memory.")

    vertex.pipelines.run = run
    place.submit(JOB)
    run, told = followed(place, "shop-1")

    assert (run.state, run.error, told) == (
        "failed",
        "The replica workerpool0-0 ran out of memory.",
        [("Trainer", "failed")],
    )


def test_a_run_can_be_cancelled(place):
    place.submit(JOB)
    place.cancel("shop-1")

    assert place.look("shop-1").state == "cancelled"


def test_a_schedule_is_made_listed_fired_and_deleted(place, vertex):
    made = place.create_schedule(JOB, name="nightly", cron="TZ=Europe/Berlin 0 3 * * *")

    assert [(one.name, one.cron, one.state) for one in place.schedules()] == [
        ("nightly", "TZ=Europe/Berlin 0 3 * * *", "active")
    ]
    assert Vertex(CLOUD, name="another").schedules() == []
    fired = vertex.schedules.fire(f"projects/demo-1234/locations/us-central1/schedules/{made.schedule_id}")
    assert dict(fired.runtime_config.parameter_values) == {"word": "given"}
    assert fired.service_account == CLOUD.service_account
    place.delete_schedule(made.schedule_id)
    assert place.schedules() == []


def test_a_deletion_that_takes_too_long_is_told(place, vertex, monkeypatch):
    made = place.create_schedule(JOB, name="nightly", cron="0 3 * * *")
    monkeypatch.setattr("roadworthy.pipeline.runners.cloud.vertex._CALL_S", 0.2)
    vertex.operations.polls = 10_000

    with pytest.raises(DeployError, match=r"DEADLINE_EXCEEDED: not done after 0\.2 s.*tells whether it was done"):
        place.delete_schedule(made.schedule_id)


@pytest.mark.parametrize(
    ("code", "message", "fix"),
    [
        ("PERMISSION_DENIED", "Permission 'aiplatform.pipelineJobs.list' denied", "roles/aiplatform.user"),
        ("PERMISSION_DENIED", "Permission 'logging.logEntries.list' denied on resource", "roles/logging.viewer"),
        ("RESOURCE_EXHAUSTED", "The following quota metrics exceed quota limits", "quota"),
        ("UNAUTHENTICATED", "Request had invalid authentication credentials", "gcloud auth application-default login"),
        ("UNAVAILABLE", "The service is currently unavailable", "can't be reached or is down"),
        ("INVALID_ARGUMENT", "Location us-central9 is not supported", "cloud.region"),
        ("NOT_FOUND", "Resource not found", "cloud.project"),
        ("INVALID_ARGUMENT", "Machine type n9-huge is not supported", "Set cloud.nodes to what us-central1 has"),
        ("INVALID_ARGUMENT", "The size of the spec is too large", "Check the cloud section of the config, and --set"),
        ("FAILED_PRECONDITION", "not in the right state", "`roadworthy runs` tells how things stand"),
        ("ALREADY_EXISTS", "there already", "Give another --run-id"),
        ("ABORTED", "conflict", "tells whether it was done"),
        ("OUT_OF_RANGE", "page", "Check the cloud section"),
        ("UNIMPLEMENTED", "no such method", "another cloud.region"),
        ("DEADLINE_EXCEEDED", "too late", "tells whether it was done"),
        ("CANCELLED", "cancelled", "tells whether it was done"),
        ("INTERNAL", "internal", "A fault of Vertex AI"),
        ("UNKNOWN", "unknown", "A fault of Vertex AI"),
        ("DATA_LOSS", "lost", "A fault of Vertex AI"),
    ],
)
def test_every_code_is_one_clear_message(place, vertex, code, message, fix):
    vertex.faults.append(Fault("CancelPipelineJob", code, message, times=9))

    with pytest.raises(DeployError) as caught:
        place.cancel("shop-1")
    assert str(caught.value).startswith(f"Cancelling run shop-1 must be possible. Received: {code}: ")
    assert message in str(caught.value)
    assert fix in str(caught.value)
    # A run is not gone on with by the command that began it, and `deploy` is of the deployments.
    assert not any(word in str(caught.value) for word in ("goes on", "roadworthy status", "deploy."))


def test_the_same_run_id_twice_is_told(place):
    place.submit(JOB)

    with pytest.raises(DeployError, match=r"Submitting shop-1 must be possible. Received: ALREADY_EXISTS"):
        place.submit(JOB)


def test_credentials_go_into_headers_and_nowhere_else(place, vertex, tmp_path, caplog):
    caplog.set_level("DEBUG")
    place.submit(JOB)
    place.create_schedule(JOB, name="nightly", cron="0 3 * * *")
    run, _ = followed(place, "shop-1")

    (key_file,) = tmp_path.rglob("service-account.json")
    key = json.loads(key_file.read_text())["private_key"].splitlines()[1]
    tokens = [value.removeprefix("Bearer ") for value in vertex.authorizations]
    assert tokens, "The server saw none, so there was none to leak."
    told = str(vertex.calls) + str(run) + caplog.text
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path != key_file]
    for secret in (key, *tokens):
        assert secret not in told
        assert [path for path in kept if secret.encode() in path.read_bytes()] == []


def test_without_a_project_nothing_is_asked():
    with pytest.raises(ConfigError, match=r"cloud\.project must be given"):
        Vertex(CLOUD.model_copy(update={"project": None}), name="shop")


def test_a_node_that_has_not_started_has_no_log(place):
    place.submit(JOB)

    with pytest.raises(DeployError, match=r"a node Trainer that has started. Received: none yet"):
        list(place.logs("shop-1", "Trainer"))


@pytest.fixture
def logging_api(monkeypatch):
    """Cloud Logging's entries:list, two pages of it."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            page = {"entries": [{"textPayload": "one\n"}, {"jsonPayload": {"message": "two"}}], "nextPageToken": "2"}
            answer = json.dumps({"entries": [{"textPayload": "three"}]} if "pageToken" in asked[-1] else page).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *words):
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING", f"http://127.0.0.1:{server.server_address[1]}")
    yield asked
    server.shutdown()
    server.server_close()


def test_the_log_of_a_node_is_its_jobs(place, vertex, logging_api, monkeypatch):
    from google.auth.credentials import AnonymousCredentials

    def run(job):
        detail = v1.PipelineTaskDetail(task_id=1, task_name="Trainer", state=v1.PipelineTaskDetail.State.RUNNING)
        detail.executor_detail.container_detail.main_job = "projects/demo/locations/us-central1/customJobs/77"
        job.job_detail.task_details.append(detail)
        yield

    vertex.pipelines.run = run
    place.submit(JOB)
    for _ in range(3):
        place.look("shop-1")

    lines = place.logs("shop-1", "Trainer")
    # Logging's REST needs a token, and a test has nobody to exchange the key for one at.
    monkeypatch.setattr("roadworthy.pipeline.runners.cloud.vertex_logs.credentials_of", AnonymousCredentials)
    assert list(lines) == ["one", "two", "three"]
    assert logging_api[0]["filter"] == 'resource.type="ml_job" AND resource.labels.job_id="77"'
