"""The local Vertex AI under Google's own client, unpatched."""

import base64
import json
import os

import pytest

from contracts.mean_colour import write_mean_colour
from contracts.pictures import encode, pixels
from contracts.vertex.server import PARENT, Fault
from roadworthy.serving import protos

BUCKET = "rw-bucket"
IMAGE = "europe-docker.pkg.dev/demo/roadworthy/server:1"


@pytest.fixture
def ai(vertex):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform

    vertex.operations.polls = 1  # the client waits a second and more between two looks
    aiplatform.init(
        project="demo",
        location="us-central1",
        api_endpoint=vertex.address,
        credentials=AnonymousCredentials(),
        staging_bucket=f"gs://{BUCKET}",
    )
    return aiplatform


@pytest.fixture
def artifact(tmp_path, gcs):
    """The LiteRT model of three colours on gs://."""
    folder = write_mean_colour(tmp_path / "model")
    for path in folder.rglob("*"):
        if path.is_file():
            gcs.buckets.put(BUCKET, f"model/{path.relative_to(folder)}", path.read_bytes(), {})
    return f"gs://{BUCKET}/model"


def upload(ai, artifact, **more):
    own = {"serving_container_args": ["--host=0.0.0.0", "--insecure", "--model_name=colours"]}
    routes = {"serving_container_predict_route": "/predict", "serving_container_health_route": "/health"}
    return ai.Model.upload(
        display_name="colours", artifact_uri=artifact, serving_container_image_uri=IMAGE, **own, **routes, **more
    )


def test_a_deployment_lives_from_upload_to_deletion(ai, vertex, artifact):
    model = upload(ai, artifact)
    second = upload(ai, artifact, parent_model=model.resource_name, version_aliases=["challenger"])
    assert (model.version_id, second.version_id) == ("1", "2")
    endpoint = ai.Endpoint.create(display_name="colours")
    endpoint.deploy(model, machine_type="n1-standard-2", traffic_percentage=100)
    endpoint.deploy(second, machine_type="n1-standard-2", traffic_percentage=10)
    red = pixels(0) * 0
    red[..., 0] = 255
    example = protos.Example()
    example.features.feature["image/encoded"].bytes_list.value.append(encode(red))
    instance = {"b64": base64.b64encode(example.SerializeToString()).decode()}
    answers = [endpoint.predict(instances=[instance]) for _ in range(20)]
    assert {answer.predictions[0]["label"] for answer in answers} == {"red"}
    assert sorted(answer.model_version_id for answer in answers) == ["1"] * 18 + ["2"] * 2
    endpoint.undeploy_all()
    endpoint.delete()
    model.delete()
    assert ai.Model.list() == []


def test_an_injected_error_of_any_code_arrives_as_it_is(ai, vertex):
    from google.api_core import exceptions

    vertex.faults.append(Fault("ListEndpoints", "PERMISSION_DENIED", "Permission 'aiplatform.endpoints.list' denied"))
    with pytest.raises(exceptions.PermissionDenied, match=r"endpoints\.list"):
        ai.Endpoint.list()


def test_a_long_operation_can_fail(ai, vertex, artifact):
    model = upload(ai, artifact)
    endpoint = ai.Endpoint.create(display_name="colours")
    vertex.operations.failures["DeployModel"] = ("RESOURCE_EXHAUSTED", "The following quotas are exceeded: CPUs")
    with pytest.raises(Exception, match="quotas are exceeded"):
        endpoint.deploy(model, machine_type="n1-standard-2")
    assert endpoint.list_models() == []


def test_traffic_must_add_up(ai, vertex, artifact):
    from google.api_core import exceptions

    model = upload(ai, artifact)
    endpoint = ai.Endpoint.create(display_name="colours")
    endpoint.deploy(model, machine_type="n1-standard-2")
    (deployed,) = endpoint.list_models()
    with pytest.raises((exceptions.InvalidArgument, ValueError)):
        endpoint.update(traffic_split={deployed.id: 90})


def test_a_model_that_no_container_can_serve_is_not_deployed(ai, vertex, gcs):
    gcs.buckets.put(BUCKET, "broken/model.tflite", b"no flatbuffer", {})
    model = upload(ai, f"gs://{BUCKET}/broken")
    endpoint = ai.Endpoint.create(display_name="colours")
    with pytest.raises(Exception, match="never became ready"):
        endpoint.deploy(model, machine_type="n1-standard-2")


def test_a_pipeline_job_runs_its_tasks(ai, vertex, tmp_path):
    spec = {
        "pipelineSpec": {
            "pipelineInfo": {"name": "two"},
            "sdkVersion": "kfp-2.16.1",
            "schemaVersion": "2.1.0",
            "root": {"dag": {"tasks": {"first": {}, "second": {}}}},
        },
        "runtimeConfig": {},
    }
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    job = ai.PipelineJob(
        display_name="two",
        template_path=str(tmp_path / "spec.json"),
        pipeline_root=f"gs://{BUCKET}/root",
        job_id="two-1",
    )
    job.submit(service_account="runner@demo.iam.gserviceaccount.com")
    states = []
    while not states or states[-1] not in (4, 5):
        states.append(int(job.state))
    assert states[-1] == 4
    assert {task.task_name for task in job.task_details} == {"first", "second"}
    assert vertex.pipelines.job(f"{PARENT}/pipelineJobs/two-1").service_account.startswith("runner@")


def test_roots_are_of_the_tests_own_authority(vertex):
    assert os.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] == str(vertex.authority)
