"""Sampled requests as upstream's own messages read them."""

import logging
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from roadworthy.serving import protos
from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.model_config import Logging
from roadworthy.serving.server.observe import Call
from roadworthy.serving.server.record_files import RecordFiles
from roadworthy.serving.server.request_log import RequestLog, log_below


def answered(model="fashion", **fields):
    given = {
        "inputs": {"image_bytes": np.array([b"a", b"bc"], dtype=object)},
        "outputs": {"scores": np.array([[0.25, 0.75], [1.0, 0.0]], dtype=np.float32)},
        "version": 7,
        "signature": "image_bytes",
        **fields,
    }
    return Call("rest", "Predict", model=model, **given)


def records(folder):
    paths = sorted(str(path) for path in folder.iterdir())
    return [prediction_log_pb2.PredictionLog.FromString(record.numpy()) for record in tf.data.TFRecordDataset(paths)]


def test_a_request_is_a_prediction_log_with_its_answer(tmp_path):
    log = RequestLog(log_below(tmp_path, rate=1.0))
    log.done(answered())
    log.close()

    (record,) = records(tmp_path)
    request, response = record.predict_log.request, record.predict_log.response
    assert (request.model_spec.name, request.model_spec.signature_name) == ("fashion", "image_bytes")
    assert tf.make_ndarray(request.inputs["image_bytes"]).tolist() == [b"a", b"bc"]
    assert tf.make_ndarray(response.outputs["scores"]).tolist() == [[0.25, 0.75], [1.0, 0.0]]
    assert response.model_spec.version.value == 7
    assert record.log_metadata.sampling_config.sampling_rate == 1.0
    assert record.log_metadata.timestamp_secs > 1_700_000_000


@pytest.mark.parametrize(
    ("method", "field", "kind"),
    [("Classify", "classify_log", "Classification"), ("Regress", "regress_log", "Regression"),
     ("MultiInference", "multi_inference_log", "MultiInference")],
)  # fmt: skip
def test_requests_of_examples_are_logged_as_they_are(tmp_path, method, field, kind):
    request, response = getattr(protos, f"{kind}Request")(), getattr(protos, f"{kind}Response")()
    request.input.example_list.examples.add().features.feature["x"].float_list.value.append(2.0)
    log = RequestLog(log_below(tmp_path, rate=1.0))
    log.done(Call("grpc", method, model="m", version=3, messages=(request, response)))
    log.close()

    (record,) = records(tmp_path)
    assert record.WhichOneof("log_type") == field
    assert getattr(record, field).request.SerializeToString() == request.SerializeToString()
    assert record.log_metadata.model_spec.version.value == 3


def test_the_rate_is_the_share_that_is_logged(tmp_path):
    log = RequestLog(log_below(tmp_path, rate=0.5))
    for _ in range(1000):
        log.done(answered())
    log.close()

    # Beyond five standard deviations once in two million runs.
    assert abs(len(records(tmp_path)) - 500) < 80


@pytest.mark.parametrize("call", [answered(code="INVALID_ARGUMENT"), answered(inputs=None, outputs=None)])
def test_what_was_refused_or_is_no_inference_is_not_logged(tmp_path, call):
    log = RequestLog(log_below(tmp_path, rate=1.0))
    log.done(call)
    log.close()

    assert list(tmp_path.iterdir()) == []


def test_every_model_has_files_of_its_own_and_no_name_leads_elsewhere(tmp_path):
    log = RequestLog(log_below(tmp_path / "logs", rate=1.0))
    for model in ("a", "../../b", "..", "/etc/c"):
        log.done(answered(model))
    log.close()

    names = sorted(path.name.split("-20")[0] for path in (tmp_path / "logs").iterdir())
    assert names == ["%2Fetc%2Fc", "..", "..%2F..%2Fb", "a"]
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_too_much_at_once_is_dropped_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("roadworthy.serving.server.request_log._CAPACITY_BYTES", 100)
    log = RequestLog(log_below(tmp_path, rate=1.0))
    big = {"x": np.zeros(1000, np.float32)}
    log.done(answered(inputs=big))
    log.done(answered())
    log.close()

    assert (log.dropped, len(records(tmp_path))) == (1, 1)


def test_a_disk_that_fails_loses_records_and_no_request(tmp_path, caplog):
    (tmp_path / "in-the-way").touch()
    log = RequestLog(lambda _: Logging(tmp_path / "in-the-way" / "m", 1.0))
    with caplog.at_level(logging.ERROR):
        log.done(answered())
        log.close()

    assert log.dropped == 1
    assert "request log: one lost" in caplog.text


def test_an_idle_log_ends_its_file_all_the_same(tmp_path):
    log = RequestLog(log_below(tmp_path, rate=1.0), files_of=lambda prefix: RecordFiles(prefix, max_age_s=0.1))
    log.done(answered())
    deadline = time.monotonic() + 10
    while not list(tmp_path.glob("fashion-*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    log.close()


def test_a_folder_that_can_not_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ServeError, match="--request_log_dir"):
        log_below(tmp_path / "file", rate=1.0)
