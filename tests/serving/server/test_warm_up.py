"""Warm-up records as TensorFlow and upstream's messages write them."""

import shutil

import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    predict_pb2,
    prediction_log_pb2,
    regression_pb2,
    session_service_pb2,
)

from roadworthy.serving.errors import ServeError
from roadworthy.serving.servables.batching.parameters import Batching
from roadworthy.serving.servables.open import open_servable
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.model_config import ModelConfig
from roadworthy.serving.server.version import State
from roadworthy.serving.server.warm_up import MAX_RECORDS, WARM_UP_PATH, warm_up


@pytest.fixture
def version(half_plus_two, tmp_path):
    return shutil.copytree(half_plus_two / "123", tmp_path / "base" / "123")


@pytest.fixture(params=[None])
def asked(version, monkeypatch, request):
    """A loaded servable, and a list of what it is asked."""
    servable = open_servable(version, batching=request.param)
    calls, predict = [], servable.predict

    def recorded(name, inputs, outputs=None):
        calls.append((name, {key: array.shape for key, array in inputs.items()}))
        return predict(name, inputs, outputs)

    monkeypatch.setattr(servable, "predict", recorded)
    yield servable, calls
    servable.close()


def write(version, *logs):
    path = version / WARM_UP_PATH
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for log in logs:
            writer.write(log if isinstance(log, bytes) else log.SerializeToString())
    return path


def predict_log(name="x"):
    request = predict_pb2.PredictRequest(inputs={name: tf.make_tensor_proto([[1.0], [2.0]])})
    return prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))


@pytest.mark.parametrize("asked", [Batching(max_batch_size=8, allowed_batch_sizes=(1, 4, 8))], indirect=True)
def test_a_model_that_answers_in_batches_is_warm_in_every_size_of_them(asked, version):
    servable, calls = asked
    write(version, predict_log())
    assert warm_up(servable, version) == 1
    assert calls == [("serving_default", {"x": (rows, 1)}) for rows in (2, 1, 4, 8)]


def examples_of(request):
    request.input.example_list.examples.add().features.feature["x"].float_list.value.append(2.0)
    return request


def spec(request, signature):
    request.model_spec.signature_name = signature
    return request


def test_every_kind_of_request_is_sent_to_the_model(version, asked):
    servable, calls = asked
    classify = spec(examples_of(classification_pb2.ClassificationRequest()), "classify_x_to_y")
    regress = spec(examples_of(regression_pb2.RegressionRequest()), "regress_x_to_y")
    several = examples_of(inference_pb2.MultiInferenceRequest())
    several.tasks.add().model_spec.signature_name = "classify_x_to_y"
    several.tasks.add().model_spec.signature_name = "regress_x_to_y"
    logs = prediction_log_pb2
    write(
        version,
        predict_log(),
        logs.PredictionLog(classify_log=logs.ClassifyLog(request=classify)),
        logs.PredictionLog(regress_log=logs.RegressLog(request=regress)),
        logs.PredictionLog(multi_inference_log=logs.MultiInferenceLog(request=several)),
    )

    assert warm_up(servable, version) == 4
    assert [name for name, _ in calls] == [
        "serving_default", "classify_x_to_y", "regress_x_to_y", "classify_x_to_y", "regress_x_to_y"
    ]  # fmt: skip
    assert calls[0][1] == {"x": (2, 1)}


def test_without_a_file_nothing_is_sent(version, asked):
    servable, calls = asked

    assert warm_up(servable, version) == 0
    assert calls == []


@pytest.mark.parametrize(
    ("logs", "message"),
    [
        ([predict_log("z")], r"record 1: must be a request the model answers. .*Missing but required: \{x\}"),
        ([predict_log(), b"\xff\xff"], "record 2: .*no PredictionLog"),
        ([predict_log()] * (MAX_RECORDS + 1), "exceeds the maximum"),
        (
            [prediction_log_pb2.PredictionLog(
                session_run_log=prediction_log_pb2.SessionRunLog(request=session_service_pb2.SessionRunRequest())
            )],
            "Unsupported log_type for warmup: session_run_log",
        ),
    ],
    ids=["another input", "no log", "too many", "another kind"],
)  # fmt: skip
def test_records_that_can_not_be_sent_are_refused(version, asked, logs, message):
    write(version, *logs)

    with pytest.raises(ServeError, match=message):
        warm_up(asked[0], version)


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-3], lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:], lambda _: b"abc"]
)
def test_a_damaged_file_is_named(version, asked, damage):
    path = write(version, predict_log())
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(ServeError, match=f"{WARM_UP_PATH}.*byte"):
        warm_up(asked[0], version)


def test_a_version_that_can_not_be_warmed_up_is_not_served(version):
    write(version, predict_log("z"))
    manager = Manager.of_models([ModelConfig("half", version.parent)])
    manager.poll()
    ((number, state, error),) = manager.statuses("half")
    manager.stop()

    assert (number, state) == (123, State.END)
    assert "must be a request the model answers" in error
