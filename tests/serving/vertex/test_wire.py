"""What the settings come to on the wire: the messages that Vertex AI gets from Google's own client."""

import pytest
from google.cloud import aiplatform_v1 as v1

from contracts.vertex.colours import deploy
from roadworthy.serving.errors import DeployError
from roadworthy.serving.rollout.digest import digest_label
from roadworthy.serving.vertex.settings import Container, Explanation, Machine, Private

NETWORK = "projects/123/global/networks/inner"


def sent(vertex, method):
    """The one request of a method."""
    (request,) = [request for name, request in vertex.calls if name == method]
    return request


def test_machine_accelerators_replicas_and_targets(push, models, colours, vertex):
    machine = Machine(
        type="n1-standard-4", accelerator="nvidia-tesla-t4", accelerators=2, replicas=2, max_replicas=5,
        cpu_target=70, accelerator_target=80, spot=True,
    )  # fmt: skip
    deploy(push.model_copy(update={"machine": machine}), models("first"), colours)

    resources = sent(vertex, "DeployModel").deployed_model.dedicated_resources

    assert resources.machine_spec.machine_type == "n1-standard-4"
    assert resources.machine_spec.accelerator_type == v1.AcceleratorType.NVIDIA_TESLA_T4
    assert resources.machine_spec.accelerator_count == 2
    assert (resources.min_replica_count, resources.max_replica_count) == (2, 5)
    assert {one.metric_name.rpartition("online/")[2]: one.target for one in resources.autoscaling_metric_specs} == {
        "cpu/utilization": 70,
        "accelerator/duty_cycle": 80,
    }
    assert resources.spot


def test_without_settings_one_small_machine_and_no_metric(push, models, colours, vertex):
    deploy(push, models("first"), colours)

    resources = sent(vertex, "DeployModel").deployed_model.dedicated_resources

    assert resources.machine_spec.machine_type == "n1-standard-2"
    assert resources.machine_spec.accelerator_count == 0
    assert (resources.min_replica_count, resources.max_replica_count) == (1, 1)
    assert not resources.autoscaling_metric_specs
    assert not resources.spot


def test_an_accelerator_that_the_client_does_not_know_is_named_with_those_it_does(push, models, colours):
    machine = Machine(accelerator="nvidia-tesla-t5", accelerators=1)
    with pytest.raises(DeployError, match=r"must be one of .*nvidia-tesla-t4.* Received: nvidia-tesla-t5"):
        deploy(push.model_copy(update={"machine": machine}), models("first"), colours)


@pytest.mark.parametrize("private", [Private(network=NETWORK), Private(allowed_projects=("one", "two"))])
def test_a_private_endpoint_is_peered_or_lets_projects_connect(push, models, colours, vertex, private):
    deploy(push.model_copy(update={"private": private}), models("first"), colours)

    endpoint = sent(vertex, "CreateEndpoint").endpoint

    connect = endpoint.private_service_connect_config
    assert endpoint.network == (private.network or "")
    assert connect.enable_private_service_connect == bool(private.allowed_projects)
    assert tuple(connect.project_allowlist) == private.allowed_projects


def test_key_and_service_account_go_with_everything_that_is_made(push, models, colours, vertex):
    key = "projects/demo/locations/us-central1/keyRings/a/cryptoKeys/b"
    accounts = {"service_account": "pipeline@demo.example", "serving_account": "serving@demo.example"}
    deploy(push.model_copy(update={"kms_key": key, **accounts}), models("first"), colours)

    assert sent(vertex, "UploadModel").model.encryption_spec.kms_key_name == key
    assert sent(vertex, "CreateEndpoint").endpoint.encryption_spec.kms_key_name == key
    # Who reads the staged model and what answers for it are two.
    assert sent(vertex, "UploadModel").service_account == accounts["service_account"]
    assert sent(vertex, "DeployModel").deployed_model.service_account == accounts["serving_account"]


def test_shapley_values_of_the_image(push, models, colours, vertex):
    deploy(push.model_copy(update={"explanation": Explanation(steps=7)}), models("first"), colours)

    explained = sent(vertex, "UploadModel").model.explanation_spec

    assert explained.parameters.sampled_shapley_attribution.path_count == 7
    assert explained.metadata.inputs["image_bytes"].input_tensor_name == "image_bytes"
    assert explained.metadata.inputs["image_bytes"].modality == "image"
    assert explained.metadata.outputs["scores"].output_tensor_name == "scores"


@pytest.mark.parametrize(
    "case",
    [("integrated-gradients", "integrated_gradients_attribution"), ("xrai", "xrai_attribution")],
)
def test_gradients_in_vertex_ais_own_container(push, saved_colours, colours, vertex, case):
    method, parameter = case
    given = {"explanation": Explanation(method=method, steps=9), "container": Container(kind="tensorflow")}
    deploy(push.model_copy(update=given), saved_colours, colours)

    explained = sent(vertex, "UploadModel").model.explanation_spec

    assert getattr(explained.parameters, parameter).step_count == 9
    # What its serving_default takes.
    assert explained.metadata.inputs["examples"].input_tensor_name == "examples"
    assert explained.metadata.inputs["examples"].modality == "image"


@pytest.mark.parametrize(
    "case",
    [
        ("tensorflow", "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest", ""),
        ("tf-serving", "tensorflow/serving:2.19.1", "-versions"),
        # After the other two, in folders of which one was filled before.
        ("roadworthy", "europe-docker.pkg.dev/demo/roadworthy/server:1", ""),
    ],
)
def test_a_saved_model_in_other_containers(push, saved_colours, colours, vertex, case):
    kind, image, folder = case
    deploy(push.model_copy(update={"container": Container(kind=kind)}), saved_colours, colours)

    model = sent(vertex, "UploadModel").model

    assert model.container_spec.image_uri == image
    assert model.artifact_uri == f"gs://rw-bucket/models/colours/{digest_label(saved_colours)}{folder}"
    # Where it was copied to, its server found it: only one that answers gets traffic.
    assert {seen.percent for seen in push.target().look().deployed} == {100}


def test_tf_serving_is_told_its_ports_its_model_and_where_it_lies(push, saved_colours, colours, vertex):
    container = Container(kind="tf-serving", args=("--enable_batching",))
    deploy(push.model_copy(update={"container": container}), saved_colours, colours)

    spec = sent(vertex, "UploadModel").model.container_spec

    assert list(spec.command) == ["/usr/bin/tensorflow_model_server"]
    assert list(spec.args) == [
        "--port=8500", "--rest_api_port=8080", "--model_name=colours", "--model_base_path=$(AIP_STORAGE_URI)",
        "--enable_batching",
    ]  # fmt: skip
    assert spec.predict_route == "/v1/models/colours:predict"
    assert spec.health_route == "/v1/models/colours"
    assert [port.container_port for port in spec.ports] == [8080]


@pytest.mark.parametrize("kind", ["tensorflow", "tf-serving"])
def test_a_litert_file_in_a_container_for_saved_models_is_refused_before_anything_is_sent(push, models, vertex, kind):
    before = len(vertex.calls)
    with pytest.raises(DeployError, match=f"must be a SavedModel for the container {kind}. Received: a LiteRT file"):
        push.model_copy(update={"container": Container(kind=kind)}).target(models("first"))
    assert len(vertex.calls) == before
