"""Requests thought out to hurt: claims of gigabytes, ways out of the root, numbers and texts that are none."""

import base64
import json
import shutil
import struct

import grpc
import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.wire import exchanged, grpc_bytes, grpc_statuses, http_statuses
from roadworthy.serving import protos
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.run import ModelServer
from roadworthy.serving.tensors import to_proto

PREDICT = f"/{protos.PREDICTION_SERVICE}/Predict"
TWO_GB = 2**31
INVALID, EXHAUSTED = b"3", b"8"


@pytest.fixture(scope="module")
def server(tmp_path_factory, colour, half_plus_two):
    root = tmp_path_factory.mktemp("models")
    shutil.copytree(colour, root / "colour" / "1")
    shutil.copytree(half_plus_two, root / "half")
    with ModelServer(Manager.of_root(root)) as started:
        yield started


@pytest.fixture(scope="module")
def http(server):
    with httpx.Client(base_url=f"http://127.0.0.1:{server.rest_port}", trust_env=False, timeout=60) as opened:
        yield opened


@pytest.fixture(scope="module")
def predict(server):
    """Sends a PredictRequest; gives the code's name and the text, or the response."""
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        call = channel.unary_unary(PREDICT, request_serializer=lambda asked: asked.SerializeToString())

        def asked(request):
            try:
                return protos.PredictResponse.FromString(call(request, timeout=60))
            except grpc.RpcError as error:
                return error.code().name, error.details()

        yield asked


def request(**tensor):
    asked = protos.PredictRequest(model_spec={"name": "half"})
    shape = tensor.pop("shape", [1])
    made = protos.TensorProto(dtype=tensor.pop("dtype", 1), **tensor)
    made.tensor_shape.SetInParent()
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    asked.inputs["x"].CopyFrom(made)
    return asked


def test_a_message_that_announces_two_gigabytes_is_refused_at_its_first_bytes(server):
    sent = grpc_bytes(PREDICT, b"")
    claimed = sent.replace(struct.pack(">BI", 0, 0), struct.pack(">BI", 0, TWO_GB))
    assert claimed != sent
    assert grpc_statuses(PREDICT, exchanged(server.grpc_port, claimed)) == [EXHAUSTED]


@pytest.mark.parametrize("length", [TWO_GB, 2**63, 2**64, 10**30])
def test_a_body_that_announces_gigabytes_ends_with_its_connection(server, length):
    head = f"POST /v1/models/half:predict HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n".encode()
    assert set(http_statuses(exchanged(server.rest_port, head + b"{}"))) <= {400, 413, 429}


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "1, 2", "", "\u0663"])
def test_a_length_that_is_none_is_refused(server, length):
    head = f"POST /v1/models/half:predict HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n".encode()
    assert http_statuses(exchanged(server.rest_port, head + b"{}")) == [400]


@pytest.mark.parametrize(
    "shape", [[TWO_GB], [2**16, 2**16], [2**62, 2**62], [2**63 - 1, 2**63 - 1, 0], [-1], [1] * 200, [1 << 27]]
)
def test_a_few_bytes_that_claim_a_huge_tensor_are_the_clients_fault(predict, shape):
    code, text = predict(request(shape=shape, float_val=[1.0]))
    assert (code, "Received" in text) == ("INVALID_ARGUMENT", True)


def test_an_empty_tensor_gives_an_empty_answer(predict):
    assert [dim.size for dim in predict(request(shape=[3, 0, 2])).outputs["y"].tensor_shape.dim] == [3, 0, 2]


@pytest.mark.parametrize("values", [[float("nan")], [float("inf")], [3.4e38, -3.4e38, 1e-45]])
def test_floats_at_their_ends_are_numbers(predict, values):
    given_ = request(shape=[len(values)], float_val=values)
    wanted = np.array(values, np.float32) * np.float32(0.5) + np.float32(2)
    np.testing.assert_array_equal(np.array(predict(given_).outputs["y"].float_val, np.float32), wanted)


def test_a_name_of_invalid_utf8_is_the_clients_fault(server):
    message = (
        protos.PredictRequest(model_spec={"name": "half"}).SerializeToString().replace(b"half", b"\xff\xfe\xfd\xfc")
    )
    assert grpc_statuses(PREDICT, exchanged(server.grpc_port, grpc_bytes(PREDICT, message))) == [INVALID]


OUT = (
    "..", "../..", "../../../etc/passwd", "%2e%2e", "%2e%2e%2f%2e%2e", "..%2f..", "%252e%252e%252f", "..%5c..",
    "..\\..", "%c0%ae%c0%ae/", "%uff0e%uff0e", "half%00", "half%2f..%2fcolour", "half/../colour", "/etc/passwd",
    "%2fetc%2fpasswd", "~root", "file:%2f%2f%2fetc", "%ff%fe", "%0d%0aset-cookie:a", "%e2%84%aa", "%ed%a0%80",
    "." * 5000, "%", "%zz",
)  # fmt: skip


@pytest.mark.parametrize("name", OUT, ids=lambda name: name[:24])
@pytest.mark.parametrize("target", ["{}", "{}/metadata", "half/labels/{}", "half/versions/{}", "{}:predict"])
def test_no_way_of_writing_it_leads_out_of_the_models(server, name, target):
    verb = "POST" if "predict" in target else "GET"
    path = f"/v1/models/{target.format(name)}"
    sent = f"{verb} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}".encode()
    answer = exchanged(server.rest_port, sent)
    assert len(http_statuses(answer)) == 1
    assert http_statuses(answer)[0] in {400, 404, 414, 431}
    assert b"root:" not in answer
    assert b"\r\nset-cookie" not in answer


@pytest.mark.parametrize("name", ["..", "../colour", "/etc", "half\0", "half/123", "x" * 100_000, "\u2024\u2024"])
def test_no_name_over_grpc_leads_out_of_the_models(predict, name):
    asked = request(float_val=[1.0])
    asked.model_spec.name = name
    assert predict(asked)[0] == "NOT_FOUND"


DEEP = 10_000
JSON = {
    "lists": b'{"instances": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "objects": b'{"instances": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    "never closed": b"[" * 10 * DEEP,
    "a long number": b'{"instances": [' + b"9" * 100_000 + b"]}",
    "beyond float32": b'{"instances": [1e39]}',
    "beyond float64": b'{"instances": [' + b"9" * 400 + b"]}",
    "invalid UTF-8": b'{"instances": ["\xff\xfe"]}',
    "overlong UTF-8": b'{"signature_name": "\xc0\xae", "instances": [1]}',
    "half a surrogate pair as a name": b'{"inputs": {"\\ud800": [1]}}',
    "half a surrogate pair as a signature": b'{"signature_name": "\\udc00", "inputs": [1]}',
    "a NUL": b'{"signature_name": "\\u0000", "inputs": [1]}',
    "an empty batch": b'{"instances": []}',
    "rows of other lengths": b'{"instances": [[1], [1, 2]]}',
    "a mixture": b'{"instances": [1, "a", null, {}, []]}',
    "booleans": b'{"instances": [true]}',
    "two documents": b'{"instances": [1]}{"instances": [1]}',
    "nothing": b"",
    "no object": b"NaN",
    "no base64": b'{"signature_name": "classify_x_to_y", "instances": [{"b64": "\\u00e9"}]}',
}


@pytest.mark.parametrize("body", JSON.values(), ids=JSON.keys())
def test_json_that_says_nothing_is_the_clients_fault(http, body):
    answer = http.post("/v1/models/half:predict", content=body)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


@pytest.mark.parametrize("name", ["\ud800", "a\udfffb"])
@pytest.mark.parametrize("value", [1, None, [[1]], {"b64": "?"}])
def test_an_examples_feature_with_half_a_surrogate_pair_for_a_name_is_the_clients_fault(http, name, value):
    body = json.dumps({"signature_name": "classify_x_to_y", "examples": [{name: value}]})
    answer = http.post("/v1/models/half:classify", content=body)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_numbers_that_only_json_of_ours_knows_come_back(http):
    answer = http.post("/v1/models/half:predict", content=b'{"instances": [NaN, Infinity, -Infinity, 1e999]}')
    assert answer.text == '{"predictions":[NaN,Infinity,-Infinity,Infinity]}'


def test_of_a_key_that_is_there_twice_one_counts(http):
    answer = http.post("/v1/models/half:predict", content=b'{"instances": [2.0], "instances": [4.0]}')
    assert answer.json() in ({"predictions": [3.0]}, {"predictions": [4.0]})


def test_rows_of_nothing_give_rows_of_nothing(http):
    answer = http.post("/v1/models/half:predict", json={"instances": [[], []]})
    assert answer.json() == {"predictions": [[], []]}


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["b64", "x", "y", ""]), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=150)
@given(
    path=st.sampled_from(["half:predict", "half:classify", "half:regress", "colour:predict"]),
    document=st.dictionaries(st.sampled_from(["instances", "inputs", "examples", "context"]), documents, max_size=2),
    signature=st.sampled_from(["serving_default", "classify_x_to_y", "regress_x_to_y", "image_bytes"]) | documents,
)
def test_any_json_is_answered_or_refused(http, path, document, signature):
    body = json.dumps({**document, "signature_name": signature})
    answer = http.post(f"/v1/models/{path}", content=body.encode(errors="surrogatepass"))
    assert answer.status_code in (200, 400), answer.text
    assert answer.status_code == 200 or list(answer.json()) == ["error"]


tensors = st.fixed_dictionaries(
    {
        "dtype": st.integers(0, 25),
        "shape": st.lists(st.integers(-2, 4) | st.sampled_from([2**31, 2**62, 2**63 - 1]), max_size=4),
        "tensor_content": st.binary(max_size=16),
        "float_val": st.lists(st.floats(width=32), max_size=4),
        "string_val": st.lists(st.binary(max_size=8), max_size=4),
        "int_val": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
    }
)


@settings(max_examples=150)
@given(tensor=tensors, signature=st.sampled_from(["serving_default", "classify_x_to_y", "regress_x_to_y"]))
def test_any_tensor_is_answered_or_refused(predict, tensor, signature):
    asked = request(**tensor)
    asked.model_spec.signature_name = signature
    answer = predict(asked)
    assert isinstance(answer, protos.PredictResponse) or answer[0] == "INVALID_ARGUMENT", answer


def test_images_that_claim_too_much_are_the_clients_fault(http):
    head = base64.b64decode("iVBORw0KGgo=") + struct.pack(
        ">I4sIIBBBBB", 13, b"IHDR", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0
    )
    body = {"signature_name": "image_bytes", "instances": [{"b64": base64.b64encode(head).decode()}]}
    assert http.post("/v1/models/colour:predict", json=body).status_code == 400


def test_half_a_request_in_good_order_is_answered_after_all_of_this(predict):
    asked = protos.PredictRequest(model_spec={"name": "half"})
    asked.inputs["x"].CopyFrom(to_proto(np.array([2.0], np.float32)))
    assert list(predict(asked).outputs["y"].float_val) == [3.0]
