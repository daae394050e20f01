"""Every error of the API, by the unpatched client, as one message with what to do."""

import grpc
import pytest

from contracts.vertex.server import Fault
from roadworthy.serving.errors import DeployError
from roadworthy.serving.vertex.clients import Clients
from roadworthy.serving.vertex.registry import Registry

CODES = [code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK]


def refused(push, vertex, code, said):
    """The error of an alias that the API refuses."""
    vertex.faults.append(Fault("MergeVersionAliases", code, said))
    with pytest.raises(DeployError) as caught:
        Registry(Clients(push.place), "colours").alias(1, add=["champion"], drop=[])
    return caught.value


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_one_message_with_what_to_do(push, vertex, code):
    error = refused(push, vertex, code, "Some words.")
    assert error.code == code
    assert f"Naming version 1 of colours champion must be possible. Received: {code}: Some words." in str(error)
    assert "\n" not in str(error)
    assert str(error).rsplit("Some words. ", maxsplit=1)[1]


@pytest.mark.parametrize(
    ("code", "said", "fix"),
    [
        ("RESOURCE_EXHAUSTED", "The following quotas are exceeded: CustomModelServingCPUs", "IAM & Admin, Quotas"),
        ("RESOURCE_EXHAUSTED", "Machines are out of stock", "no such machine free now"),
        ("PERMISSION_DENIED", "Permission 'aiplatform.models.get' denied", "roles/aiplatform.user in project demo"),
        ("PERMISSION_DENIED", "Vertex AI API has not been used in project 1 before", "gcloud services enable"),
        ("PERMISSION_DENIED", "Missing iam.serviceAccounts.actAs", "roles/iam.serviceAccountUser"),
        ("UNAUTHENTICATED", "Request had invalid credentials", "gcloud auth application-default login"),
        ("INVALID_ARGUMENT", "Machine type n9-huge is not supported", "deploy.machine"),
        ("NOT_FOUND", "Machine type n1-ultramem does not exist in zone", "deploy.machine"),
        ("INVALID_ARGUMENT", "Unsupported region us-moon1", "cloud.region"),
        ("NOT_FOUND", "The Model does not exist: projects/demo/locations/us-central1/models/x", "roadworthy status"),
        ("FAILED_PRECONDITION", "Model server never became ready", "The container's log tells why"),
        ("FAILED_PRECONDITION", "DeployedModel 1 still has traffic", "roadworthy status"),
        ("ABORTED", "The etag is of an older state", "run it again"),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", "deploy.call_s"),
        ("UNAVAILABLE", "failed to connect", "can't be reached"),
    ],
)
def test_the_fix_is_told_where_it_is_known(push, vertex, code, said, fix):
    assert fix in str(refused(push, vertex, code, said))


def test_without_credentials_it_is_told_how_to_log_in(push, monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(DeployError, match="gcloud auth application-default login") as caught:
        Registry(Clients(push.place), "colours").versions()
    assert caught.value.code == "UNAUTHENTICATED"


def test_a_server_that_is_not_there_is_told(push, monkeypatch):
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM", "https://localhost:1/")
    with pytest.raises(DeployError, match=r"localhost:1 can't be reached") as caught:
        Registry(Clients(push.model_copy(update={"call_s": 0.5}).place), "colours").versions()
    assert caught.value.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED")


def test_a_token_stays_out_of_the_message(push, vertex):
    error = refused(push, vertex, "INTERNAL", "request had authorization: Bearer planted.token.value")
    assert "planted" not in str(error)
