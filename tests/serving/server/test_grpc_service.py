"""The gRPC service as upstream's own stubs and messages see it."""

import grpc
import pytest
import tensorflow as tf
from google.protobuf import text_format
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

from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.model_config import ModelConfig
from roadworthy.serving.server.run import ModelServer
from roadworthy.serving.status import RequestError


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


def example(**features):
    return tf.train.Example(
        features=tf.train.Features(
            feature={name: tf.train.Feature(float_list=tf.train.FloatList(value=[x])) for name, x in features.items()}
        )
    )


def filled(asked, *examples, model="half_plus_two", signature=None):
    """A request with examples and, if it has one, a model spec."""
    asked.input.example_list.examples.extend(examples)
    if signature is not None:
        asked.model_spec.name, asked.model_spec.signature_name = model, signature
    return asked


def test_values_stand_in_the_field_of_their_type(prediction):
    asked = predict_pb2.PredictRequest(model_spec={"name": "half_plus_two"})
    asked.inputs["x"].CopyFrom(tf.make_tensor_proto([2.0, 3.0]))
    assert list(prediction.Predict(asked, timeout=20).outputs["y"].float_val) == [3.0, 3.5]


def test_examples_are_classified(prediction):
    asked = filled(classification_pb2.ClassificationRequest(), example(x=2), signature="classify_x_to_y")
    answer = prediction.Classify(asked, timeout=20)
    (classified,) = answer.result.classifications
    assert [(one.label, one.score) for one in classified.classes] == [("", 3.0)]
    assert (answer.model_spec.version.value, answer.model_spec.signature_name) == (123, "classify_x_to_y")


def test_examples_are_regressed_and_their_own_features_go_before_the_context(prediction):
    asked = regression_pb2.RegressionRequest()
    asked.model_spec.name, asked.model_spec.signature_name = "half_plus_two", "regress_x_to_y"
    listed = asked.input.example_list_with_context
    listed.context.CopyFrom(example(x=2))
    listed.examples.extend([example(), example(x=4)])
    assert [one.value for one in prediction.Regress(asked, timeout=20).result.regressions] == [3.0, 4.0]


def task(signature, kind, *, model="half_plus_two"):
    asked = inference_pb2.InferenceTask(method_name=f"tensorflow/serving/{kind}")
    asked.model_spec.name, asked.model_spec.signature_name = model, signature
    return asked


REGRESS, CLASSIFY = task("regress_x_to_y", "regress"), task("classify_x_to_y", "classify")


def test_several_signatures_answer_one_request(prediction):
    asked = filled(inference_pb2.MultiInferenceRequest(tasks=[REGRESS, CLASSIFY]), example(x=2))
    regressed, classified = prediction.MultiInference(asked, timeout=20).results
    assert regressed.regression_result.regressions[0].value == 3.0
    assert classified.classification_result.classifications[0].classes[0].score == 3.0
    assert classified.model_spec.signature_name == "classify_x_to_y"


@pytest.mark.parametrize(
    ("tasks", "code", "message"),
    [
        ([], "INVALID_ARGUMENT", "at least one task"),
        ([task("a", "regress", model="")], "INVALID_ARGUMENT", "empty model name"),
        ([REGRESS, task("a", "regress", model="other")], "INVALID_ARGUMENT", "must access the same model name"),
        ([REGRESS, REGRESS], "INVALID_ARGUMENT", "Duplicate evaluation of signature: regress_x_to_y"),
        ([task("serving_default", "predict")], "UNIMPLEMENTED", "Unsupported signature method_name"),
        ([task("nope", "regress")], "INVALID_ARGUMENT", "Requested signature not found in model graph: nope"),
        ([task("regress_x_to_y", "classify")], "FAILED_PRECONDITION", 'at least one of "classes" or "scores"'),
    ],
)
def test_tasks_that_do_not_go_together_are_refused(prediction, tasks, code, message):
    asked = filled(inference_pb2.MultiInferenceRequest(tasks=tasks), example(x=2))
    received, details = refusal(prediction.MultiInference, asked)
    assert (received.name, message in details) == (code, True)


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        (filled(regression_pb2.RegressionRequest(), signature="regress_x_to_y"), "INVALID_ARGUMENT", "Input is empty"),
        (filled(regression_pb2.RegressionRequest(), example(z=1), signature="regress_x_to_y"), "INVALID_ARGUMENT", "x"),
        (filled(regression_pb2.RegressionRequest(), example(x=1)), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (
            filled(regression_pb2.RegressionRequest(), example(x=1), signature="x", model="no"),
            "NOT_FOUND",
            "Latest(no)",
        ),
    ],
)
def test_examples_that_can_not_be_regressed_are_refused(prediction, asked, code, message):
    received, details = refusal(prediction.Regress, asked)
    assert (received.name, message in details) == (code, True)


def test_a_label_nobody_gave_is_refused(prediction, png):
    labelled = request(png)
    labelled.model_spec.version_label = "stable"
    code, details = refusal(prediction.Predict, labelled)
    assert (code.name, details) == ("INVALID_ARGUMENT", "Unrecognized servable version label: stable")


def test_a_reload_serves_what_it_lists_and_nothing_else(half_plus_two, exported):
    config = f'config {{ name: "new" base_path: "{half_plus_two}" version_labels {{ key: "stable" value: 123 }} }}'
    asked = model_management_pb2.ReloadConfigRequest()
    text_format.Parse(config, asked.config.model_config_list)
    with ModelServer(Manager.of_models([ModelConfig("old", half_plus_two)])) as server:
        channel = grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}")
        models = model_service_pb2_grpc.ModelServiceStub(channel)
        assert models.HandleReloadConfigRequest(asked, timeout=20).status.error_code == 0
        assert server.manager.models() == ["new", "old"]
        with server.manager.use("new", label="stable") as (number, _):
            assert number == 123
        with pytest.raises(RequestError, match="Servable not found"), server.manager.use("old"):
            pass


@pytest.mark.parametrize(
    ("config", "code", "message"),
    [
        ('config { name: "a" base_path: "rel" }', 3, "absolute path"),
        ('config { name: "a" base_path: "/a" } config { name: "a" base_path: "/b" }', 3, "multiple times"),
        ('config { name: "a" base_path: "/a" model_platform: "torch" }', 3, "must be tensorflow. Received: torch"),
        ('config { name: "a" base_path: "/nowhere" }', 2, "did not become available: {a}"),
        ('config { name: "m" base_path: "HERE" version_labels { key: "x" value: 9 } }', 9, "version 9 of model m"),
    ],
)
def test_a_reload_that_can_not_be_is_told_in_its_status(half_plus_two, config, code, message):
    asked = model_management_pb2.ReloadConfigRequest()
    text_format.Parse(config.replace("HERE", str(half_plus_two)), asked.config.model_config_list)
    with ModelServer(Manager.of_models([ModelConfig("m", half_plus_two)])) as server:
        channel = grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}")
        status = model_service_pb2_grpc.ModelServiceStub(channel).HandleReloadConfigRequest(asked, timeout=20).status
    assert (status.error_code, message in status.error_message) == (code, True)
