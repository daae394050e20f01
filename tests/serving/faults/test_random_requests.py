"""Thousands of requests that are almost right, at a server of its own process: it refuses them and goes on.

`make test` sends five hundred over each transport, `make fuzz-serving` ten thousand, to one process and to two workers.
A refusal must be the client's
fault by its code, never the server's.
"""

import json
import re
import shutil

import grpc
import numpy as np
import pytest

from contracts.mutations import Mutator
from contracts.pictures import encode, pixels
from contracts.server_process import start_process
from contracts.wire import exchanged, grpc_bytes, grpc_statuses, http_statuses
from roadworthy.serving import protos
from roadworthy.serving.tensors import to_proto

COUNTS = [500, pytest.param(10_000, marks=pytest.mark.fuzz)]
# Share of the requests that are changed below gRPC or HTTP/1.1, so that even their frames or their head are wrong.
RAW_SHARE = 0.3
# What an answer takes a little longer than; one that takes still longer is lost, though not the log of it.
QUIET_S = 0.05
MOST_GROWTH_MB = 150
OURS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS, grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED}  # fmt: skip
OUR_NUMBERS = {b"%d" % code.value[0] for code in OURS - {grpc.StatusCode.UNAVAILABLE}}
CLIENTS_FAULTS = {200, 400, 404, 405, 408, 411, 413, 415, 417, 429, 431, 501, 503}
PREDICT = f"/{protos.PREDICTION_SERVICE}/Predict"
RELOAD = f"/{protos.MODEL_SERVICE}/HandleReloadConfigRequest"


@pytest.fixture(scope="module", params=[1, pytest.param(2, marks=pytest.mark.fuzz)], ids="workers-{}".format)
def server(request, tmp_path_factory, colour, half_plus_two):
    root = tmp_path_factory.mktemp("models")
    shutil.copytree(colour, root / "colour" / "1")
    shutil.copytree(half_plus_two, root / "half")
    config = root / "models.config"
    config.write_text(f"model_config_list {{ {entry(root, 'colour')} {entry(root, 'half')} }}")
    process = start_process(f"--model_config_file={config}", f"--workers={request.param}")
    process.root = root
    yield process
    process.popen.kill()
    process.popen.wait()


def entry(root, name):
    return f'config {{ name: "{name}" base_path: "{root / name}" }}'


def reload_request(root):
    request = protos.ReloadConfigRequest()
    for name in ("colour", "half"):
        request.config.model_config_list.config.add(name=name, base_path=str(root / name))
    return request.SerializeToString()


def good_predict():
    request = protos.PredictRequest(model_spec={"name": "half"})
    request.inputs["x"].CopyFrom(to_proto(np.array([2.0, 4.0], np.float32)))
    return request.SerializeToString()


def grpc_seeds():
    """A valid request of every method."""
    image = protos.PredictRequest(model_spec={"name": "colour", "signature_name": "image_bytes"})
    image.inputs["image_bytes"].CopyFrom(to_proto(np.array([encode(pixels(0))[:2000]], object)))
    classify = protos.ClassificationRequest(model_spec={"name": "half", "signature_name": "classify_x_to_y"})
    classify.input.example_list.examples.add().features.feature["x"].float_list.value.append(2)
    regress = protos.RegressionRequest(model_spec={"name": "half", "signature_name": "regress_x_to_y"})
    regress.input.CopyFrom(classify.input)
    several = protos.MultiInferenceRequest()
    for kind in ("classify", "regress"):
        task = several.tasks.add(method_name=f"tensorflow/serving/{kind}")
        task.model_spec.name, task.model_spec.signature_name = "half", f"{kind}_x_to_y"
    several.input.CopyFrom(classify.input)
    metadata = protos.GetModelMetadataRequest(model_spec={"name": "half"}, metadata_field=["signature_def"])
    status = protos.GetModelStatusRequest(model_spec={"name": "half"})
    prediction = f"/{protos.PREDICTION_SERVICE}"
    return [
        (PREDICT, good_predict()),
        (PREDICT, image.SerializeToString()),
        (f"{prediction}/Classify", classify.SerializeToString()),
        (f"{prediction}/Regress", regress.SerializeToString()),
        (f"{prediction}/MultiInference", several.SerializeToString()),
        (f"{prediction}/GetModelMetadata", metadata.SerializeToString()),
        (f"/{protos.MODEL_SERVICE}/GetModelStatus", status.SerializeToString()),
    ]


def check_it_goes_on(server, before_mb):
    assert server.popen.poll() is None
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        answer = channel.unary_unary(PREDICT)(good_predict(), timeout=60)
    assert list(protos.PredictResponse.FromString(answer).outputs["y"].float_val) == [3.0, 4.0]
    assert server.get("/v1/models/colour/metadata").status_code == 200
    log = "".join(server.log)
    assert not re.search("Traceback|started again", log), log
    assert server.rss_mb() - before_mb < MOST_GROWTH_MB


def asked(channel, path, message):
    """The code and the text a request is answered with."""
    try:
        channel.unary_unary(path)(message, timeout=60)
    except grpc.RpcError as error:
        return error.code(), error.details()
    return grpc.StatusCode.OK, ""


@pytest.mark.parametrize("count", COUNTS)
def test_grpc_survives(server, count):
    seeds = grpc_seeds()
    mutator = Mutator(count, others=[message for _, message in seeds])
    before_mb, codes = None, {}
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        for number in range(count):
            path, message = mutator.choose(seeds)
            if mutator.chance(RAW_SHARE):
                sent = mutator.mutated(grpc_bytes(path, message))
                told = set(grpc_statuses(path, exchanged(server.grpc_port, sent, quiet_s=QUIET_S)))
                assert not told & OUR_NUMBERS, f"request {number}: {told} for {sent!r}"
                continue
            code, text = asked(channel, path, message := mutator.mutated(message))
            codes[code] = codes.get(code, 0) + 1
            assert code not in OURS, f"request {number}: {code} {text}: {path} {message!r}"
            if number == count // 10:
                before_mb = server.rss_mb()
    assert codes[grpc.StatusCode.INVALID_ARGUMENT] > count // 20
    check_it_goes_on(server, before_mb or server.rss_mb())


def test_reloads_survive(server):
    good = reload_request(server.root)
    mutator = Mutator(7, others=[good])
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        for number in range(60):
            code, text = asked(channel, RELOAD, message := mutator.mutated(good))
            assert code not in OURS, f"request {number}: {code} {text}: {message!r}"
        answer = protos.ReloadConfigResponse.FromString(channel.unary_unary(RELOAD)(good, timeout=60))
    assert answer.status.error_code == 0
    check_it_goes_on(server, server.rss_mb())


# A connection that is closed after the answer saves waiting for its end; one that stays has the short way.
REST = b" HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: %d\r\n"
HEADS = (
    b"POST /v1/models/half:predict" + REST + b"content-type: application/json\r\n\r\n",
    b"POST /v1/models/half:predict HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n",
    b"POST /v1/models/half/versions/123:%%70redict" + REST + b"\r\n",
    b"POST /v1/models/half:classify" + REST + b"\r\n",
    b"POST /v1/models/colour:predict" + REST + b"expect: 100-continue\r\n\r\n",
    b"GET /v1/models/half/metadata" + REST + b"\r\n",
)
BODIES = (
    json.dumps({"instances": [1.0, 2.5, float("nan")], "signature_name": "serving_default"}).encode(),
    b'{"inputs": {"x": [[1.0, -1e300], [2, 3]]}}',
    b'{"signature_name": "image_bytes", "instances": [{"b64": "iVBORw0KGgo="}, {"image_bytes": {"b64": "AA=="}}]}',
    b'{"signature_name": "classify_x_to_y", "examples": [{"x": 1.5}, {"x": [2.0], "\\ud800": ["\\udfff", true]}]}',
    b'{"context": {"x": 1}, "examples": [{"x": {"b64": "AAAA"}}], "signature_name": "classify_x_to_y"}',
)


@pytest.mark.parametrize("count", COUNTS)
def test_rest_survives(server, count):
    mutator = Mutator(count, others=[*BODIES, *HEADS])
    before_mb, statuses = None, {}
    for number in range(count):
        head, body = mutator.choose(HEADS), mutator.mutated(mutator.choose(BODIES))
        sent = head % len(body) + body
        if mutator.chance(RAW_SHARE):
            sent = mutator.mutated(sent)
        for status in http_statuses(exchanged(server.rest_port, sent, quiet_s=QUIET_S)):
            statuses[status] = statuses.get(status, 0) + 1
            assert status in CLIENTS_FAULTS | {100}, f"request {number}: {status} for {sent!r}"
        if number == count // 10:
            before_mb = server.rss_mb()
    assert statuses[400] > count // 20
    check_it_goes_on(server, before_mb or server.rss_mb())
