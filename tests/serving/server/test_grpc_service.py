"""The gRPC service as upstream's own stubs and messages see it."""

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)


@pytest.fixture(scope="module")
def channel(server):
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as opened:
        yield opened


@pytest.fixture(scope="module")
def prediction(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def models(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


def request(image, *, model="fashion", signature="image_bytes", outputs=()):
    asked = predict_pb2.PredictRequest(output_filter=outputs)
    asked.model_spec.name = model
    asked.model_spec.signature_name = signature
    asked.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([image]))
    return asked


def refusal(call, message):
    with pytest.raises(grpc.RpcError) as refused:
        call(message, timeout=20)
    return refused.value.code(), refused.value.details()


@pytest.mark.parametrize("model", ["fashion", "small"])
def test_upstreams_stub_gets_an_answer_and_the_version_that_gave_it(prediction, model, png):
    response = prediction.Predict(request(png, model=model), timeout=20)
    assert response.model_spec.name == model
    assert response.model_spec.version.value == 1
    assert response.model_spec.signature_name == "image_bytes"
    assert tf.make_ndarray(response.outputs["scores"]).shape == (1, 4)
    assert tf.make_ndarray(response.outputs["label"]).shape == (1,)


def test_only_the_outputs_asked_for_come_back(prediction, png):
    assert set(prediction.Predict(request(png, outputs=["label"]), timeout=20).outputs) == {"label"}


def test_an_unknown_output_is_refused(prediction, png):
    code, details = refusal(prediction.Predict, request(png, outputs=["nope"]))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert "output tensor alias not found in signature: nope" in details


def test_an_unknown_signature_is_a_failed_precondition(prediction, png):
    code, details = refusal(prediction.Predict, request(png, signature="nope"))
    assert code == grpc.StatusCode.FAILED_PRECONDITION
    assert 'Serving signature key "nope" not found' in details


def test_a_request_without_a_model_is_refused(prediction, png):
    assert refusal(prediction.Predict, request(png, model=""))[0] == grpc.StatusCode.INVALID_ARGUMENT


def test_a_malformed_tensor_is_refused(prediction):
    asked = request(b"x")
    asked.inputs["image_bytes"].tensor_shape.dim.add(size=-1)
    code, details = refusal(prediction.Predict, asked)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert "shape must be known" in details


def test_bytes_that_are_no_message_do_not_stop_the_server(channel, prediction, png):
    raw = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    refusal(raw, b"\xff\xff\xff")
    assert prediction.Predict(request(png), timeout=20).outputs


def test_the_message_about_an_error_is_cut_at_1024_characters(prediction, png):
    assert len(refusal(prediction.Predict, request(png, signature="x" * 5000))[1]) == 1024


def test_metadata_tells_the_signatures(prediction):
    asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    asked.model_spec.name = "small"
    response = prediction.GetModelMetadata(asked, timeout=20)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    taken = signatures.signature_def["image_bytes"].inputs["image_bytes"]
    given = signatures.signature_def["serving_default"].outputs["scores"]
    assert tf.dtypes.as_dtype(taken.dtype) == tf.string
    assert [dim.size for dim in given.tensor_shape.dim] == [-1, 4]


def test_other_metadata_is_refused(prediction):
    asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["more"])
    asked.model_spec.name = "small"
    assert refusal(prediction.GetModelMetadata, asked)[0] == grpc.StatusCode.INVALID_ARGUMENT


def status_request(model, version=None):
    asked = get_model_status_pb2.GetModelStatusRequest()
    asked.model_spec.name = model
    if version is not None:
        asked.model_spec.version.value = version
    return asked


def test_status_tells_the_state_of_a_version(models):
    (status,) = models.GetModelStatus(status_request("fashion", 1), timeout=20).model_version_status
    assert (status.version, status.state) == (1, get_model_status_pb2.ModelVersionStatus.AVAILABLE)
    assert status.status.error_code == 0


@pytest.mark.parametrize(
    ("model", "version", "details"),
    [
        ("nope", None, "Could not find any versions of model nope"),
        ("fashion", 9, "Could not find version 9 of model fashion"),
    ],
)
def test_the_status_of_what_is_not_there_is_not_found(models, model, version, details):
    assert refusal(models.GetModelStatus, status_request(model, version)) == (grpc.StatusCode.NOT_FOUND, details)


def test_what_is_not_built_yet_says_so(prediction, models, png):
    labelled = request(png)
    labelled.model_spec.version_label = "stable"
    for call, asked in (
        (prediction.Classify, classification_pb2.ClassificationRequest()),
        (prediction.Regress, regression_pb2.RegressionRequest()),
        (prediction.MultiInference, inference_pb2.MultiInferenceRequest()),
        (models.HandleReloadConfigRequest, model_management_pb2.ReloadConfigRequest()),
        (prediction.Predict, labelled),
    ):
        code, details = refusal(call, asked)
        assert code == grpc.StatusCode.UNIMPLEMENTED
        assert "not supported yet" in details
