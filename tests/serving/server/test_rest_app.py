"""The REST API as a plain HTTP client sees it."""

import base64
import gzip
import json

import httpx
import pytest

from roadworthy.serving.server.listening import Listening
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.model_config import ModelConfig
from roadworthy.serving.server.run import ModelServer


@pytest.fixture(scope="module")
def http(server):
    with httpx.Client(base_url=f"http://127.0.0.1:{server.rest_port}", trust_env=False, timeout=30) as opened:
        yield opened


@pytest.fixture
def bounded(half_plus_two):
    """A client of a server that takes at most 100,000 bytes."""
    manager = Manager.of_models([ModelConfig("half_plus_two", half_plus_two)])
    with (
        ModelServer(manager, Listening(grpc_port=0, rest_port=0, max_request_bytes=100_000)) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.rest_port}", trust_env=False, timeout=30) as opened,
    ):
        yield opened


@pytest.fixture
def body(png):
    return {"signature_name": "image_bytes", "instances": [{"b64": base64.b64encode(png).decode()}] * 2}


PREDICT = "/v1/models/fashion:predict"


@pytest.mark.parametrize("model", ["fashion", "small"])
def test_rows_in_give_rows_out(http, body, model):
    answer = http.post(f"/v1/models/{model}:predict", json=body)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert [set(row) for row in answer.json()["predictions"]] == [{"scores", "label"}] * 2


def test_columns_in_give_columns_out(http, body):
    columns = {"signature_name": "image_bytes", "inputs": {"image_bytes": body["instances"]}}
    outputs = http.post("/v1/models/fashion/versions/1:predict", json=columns).json()["outputs"]
    assert len(outputs["scores"]) == len(outputs["label"]) == 2


def test_paths_are_read_without_regard_to_case(http, body):
    assert http.post("/V1/Models/fashion:PREDICT", json=body).status_code == 200


@pytest.mark.parametrize(
    ("path", "content", "status", "error"),
    [
        (PREDICT, b"{", 400, "JSON Parse error"),
        (PREDICT, b"", 400, "JSON Parse error: The document is empty"),
        (PREDICT, b"instances = [1, 2]", 400, "JSON Parse error: Invalid value. at offset: 0"),
        (PREDICT, b"[]", 400, "JSON Value: [] Is not object"),
        (PREDICT, b"{}", 400, "Missing 'inputs' or 'instances' key"),
        (PREDICT, b'{"signature_name": 1, "inputs": 1}', 400, "'signature_name' key must be a string value."),
        (
            PREDICT,
            b'{"signature_name": "x", "inputs": 1}',
            400,
            'Serving signature name: "x" not found in signature def',
        ),
        (PREDICT, b'{"signature_name": "image_bytes", "instances": ["a"]}', 400, "image 0 of the request"),
        ("/v1/models/nope:predict", b'{"inputs": 1}', 404, "Servable not found for request: Latest(nope)"),
        ("/v1/models/fashion/versions/7:predict", b'{"inputs": 1}', 404, "Specific(fashion, 7)"),
        ("/v1/models/fashion/versions/99999999999999999999:predict", b"{}", 400, "Failed to convert version"),
        ("/v1/models/fashion/labels/stable:predict", b"{}", 400, "Unrecognized servable version label: stable"),
        ("/v1/models/fashion:classify", b"{}", 400, "key 'examples' is expected and was not found"),
        ("/v1/models/fashion:regress", b'{"examples": [{}]}', 400, "Expected one output Tensor."),
        ("/v1/models/fashion", b"{}", 400, "Malformed request: POST"),
        ("/v1/modelsfashion:predict", b"{}", 400, "Malformed request: POST"),
        ("/v1/foo", b"{}", 400, "Malformed request: POST /v1/foo"),
        ("/v1/models", b"{}", 400, "Malformed request: POST /v1/models"),
        ("/other", b"{}", 404, "Malformed request: POST /other"),
    ],
)
def test_a_wrong_request_has_its_status_and_reason(http, path, content, status, error):
    answer = http.post(path, content=content)
    assert answer.status_code == status
    assert error in answer.json()["error"]


def test_another_method_is_refused(http):
    assert "Malformed request: DELETE" in http.delete("/v1/models/fashion").json()["error"]


@pytest.mark.parametrize("content", [b" " * 100_001, iter([b" " * 60_000] * 2)], ids=["announced", "in chunks"])
def test_a_body_beyond_the_bound_is_refused(bounded, content):
    answer = bounded.post("/v1/models/half_plus_two:predict", content=content)
    assert answer.status_code == 429
    assert "at most 100,000 bytes" in answer.json()["error"]


def test_a_gzip_body_is_unpacked(http):
    body = gzip.compress(b'{"instances": [[2.0]]}')
    answer = http.post("/v1/models/half_plus_two:predict", content=body, headers={"content-encoding": "gzip"})
    assert answer.json() == {"predictions": [[3.0]]}


@pytest.mark.parametrize("body", [b"x", gzip.compress(b"{}" * 500)[:-9]])
def test_a_gzip_body_that_is_none_or_not_whole_is_refused(http, body):
    answer = http.post(PREDICT, content=body, headers={"content-encoding": "gzip"})
    assert (answer.status_code, "must be whole" in answer.json()["error"]) == (400, True)


def test_a_gzip_bomb_is_stopped_at_the_bound(bounded):
    bomb = gzip.compress(b" " * 50_000_000)
    answer = bounded.post("/v1/models/half_plus_two:predict", content=bomb, headers={"content-encoding": "gzip"})
    assert (answer.status_code, "Received: more" in answer.json()["error"]) == (429, True)


def test_an_unknown_encoding_is_named(http):
    answer = http.post(PREDICT, content=b"x", headers={"content-encoding": "br"})
    assert (answer.status_code, "Received: br" in answer.json()["error"]) == (501, True)


@pytest.mark.parametrize(
    ("method", "signature", "results"),
    [("classify", "classify_x_to_y", [[["", 3.0]], [["", 3.5]]]), ("regress", "regress_x_to_y", [3.0, 3.5])],
)
def test_examples_are_classified_and_regressed(http, method, signature, results):
    body = {"signature_name": signature, "examples": [{"x": 2.0}, {"x": [3.0]}]}
    assert http.post(f"/v1/models/half_plus_two:{method}", json=body).json() == {"results": results}


def test_a_context_is_part_of_every_example(http):
    body = {"signature_name": "regress_x_to_y", "context": {"x": 2.0}, "examples": [{}, {"x": 4.0}]}
    assert http.post("/v1/models/half_plus_two:regress", json=body).json() == {"results": [3.0, 4.0]}


@pytest.mark.parametrize(
    ("examples", "error"),
    [
        ([], "is an empty array"),
        ({}, "to be an list/array"),
        ([1], "Example must be JSON object but got JSON Number"),
        ([{"x": [1.0, "a"]}], "Unexpected element type in feature: x expecting type: float"),
        ([{"x": None}], "unexpected JSON type: Null"),
        ([{"x": [[1.0]]}], "unexpected JSON type: Array"),
        ([{"x": 2**70}], "Only int64 is supported"),
        ([{"x": {"b64": "!"}}], "Unable to base64 decode"),
        ([{"x": {"b64": 1}}], "not formatted correctly for base64 data"),
        ([{"x": 1e308}], "to float without loss of precision"),
    ],
)
def test_examples_that_are_none_are_refused(http, examples, error):
    body = {"signature_name": "regress_x_to_y", "examples": examples}
    answer = http.post("/v1/models/half_plus_two:regress", json=body)
    assert (answer.status_code, error in answer.json()["error"]) == (400, True)


@pytest.mark.parametrize("path", ["/v1/models/fashion", "/v1/models/fashion/versions/1"])
def test_status_is_that_of_tf_serving(http, path):
    assert http.get(path).json() == {
        "model_version_status": [
            {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/v1/models", 400, "Missing model name in request."),
        ("/v1/models/nope", 404, "Could not find any versions of model nope"),
        ("/v1/models/fashion/versions/9", 404, "Could not find version 9 of model fashion"),
        ("/v1/models/nope/metadata", 404, "Servable not found"),
        ("/v1/models/fashion/more", 400, "Malformed request: GET"),
    ],
)
def test_the_status_of_what_is_not_there_is_an_error(http, path, status, error):
    answer = http.get(path)
    assert answer.status_code == status
    assert error in answer.json()["error"]


def test_metadata_is_that_of_tf_serving(http):
    document = http.get("/v1/models/fashion/metadata").json()
    assert document["model_spec"] == {"name": "fashion", "version": "1", "signature_name": ""}
    signatures = document["metadata"]["signature_def"]["signature_def"]
    scores = signatures["image_bytes"]["outputs"]["scores"]
    assert scores["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in scores["tensor_shape"]["dim"]] == ["-1", "4"]


def test_floats_are_printed_in_the_fewest_digits(http, body):
    text = http.post(PREDICT, json=body).text
    assert all(len(str(score)) <= 14 for row in json.loads(text)["predictions"] for score in row["scores"])


def test_pages_of_other_origins_may_ask_where_the_server_lets_them(half_plus_two):
    manager = Manager.of_models([ModelConfig("half_plus_two", half_plus_two)])
    origin = {"origin": "https://elsewhere.example"}
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    with (
        ModelServer(manager, Listening(grpc_port=0, rest_port=0, cors=True)) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.rest_port}", trust_env=False, timeout=30) as http,
    ):
        path = "/v1/models/half_plus_two:predict"
        preflight = http.options(path, headers=origin | asks)
        # Also once it has found out that such requests are quick.
        answers = [http.post(path, json={"instances": [2.0]}, headers=origin) for _ in range(20)]

    assert (preflight.status_code, "POST" in preflight.headers["access-control-allow-methods"]) == (200, True)
    assert {answer.headers["access-control-allow-origin"] for answer in answers} == {"*"}
