"""Both transports ask both formats; and what they must not be asked."""

import time

import numpy as np
import pytest

from contracts.model import example_of
from contracts.pictures import png_bomb
from roadworthy.serving.client import Client
from roadworthy.serving.contract import EXAMPLES_INPUT, EXAMPLES_SIGNATURE, IMAGE_INPUT, IMAGE_SIGNATURE, LABEL, SCORES
from roadworthy.serving.errors import AskError
from roadworthy.serving.servables.open import open_servable

MODELS = {"fashion": "first", "small": "litert", "tiny": "int8"}


@pytest.fixture(scope="module", params=["grpc", "rest"])
def client(server, request):
    port = server.grpc_port if request.param == "grpc" else server.rest_port
    with Client.open(f"127.0.0.1:{port}", transport=request.param, timeout_s=30) as opened:
        yield opened


def rows(*values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@pytest.mark.parametrize("model", MODELS)
def test_the_server_answers_as_the_files_do(client, exported, model, png, jpeg):
    servable = open_servable(exported[MODELS[model]])
    offline = servable.predict(IMAGE_SIGNATURE, {IMAGE_INPUT: rows(png, jpeg)})
    online = client.predict(model, {IMAGE_INPUT: rows(png, jpeg)}, signature=IMAGE_SIGNATURE)
    np.testing.assert_allclose(online[SCORES], offline[SCORES], atol=1e-6)
    assert online[LABEL].tolist() == offline[LABEL].tolist()
    assert online[SCORES].dtype == np.float32


@pytest.mark.parametrize("model", MODELS)
def test_the_signature_for_examples_answers_the_same(client, model, png):
    by_image = client.predict(model, {IMAGE_INPUT: rows(png)}, signature=IMAGE_SIGNATURE)
    by_example = client.predict(model, {EXAMPLES_INPUT: rows(example_of(png))}, signature=EXAMPLES_SIGNATURE)
    np.testing.assert_allclose(by_image[SCORES], by_example[SCORES], atol=1e-6)


def test_classify_images_gives_the_best_label_of_each(client, png, jpeg):
    predictions = client.classify_images("fashion", [png, jpeg], version=1)
    assert len(predictions) == 2
    for prediction in predictions:
        assert prediction.score == prediction.scores.max()
        assert prediction.label == ("bag", "boot", "coat", "shirt")[prediction.scores.argmax()]


def test_no_images_need_no_server():
    with Client.open("127.0.0.1:1") as client:
        assert client.classify_images("fashion", []) == []


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (lambda png: png[: len(png) // 2], "image 1 of the request: .* truncated"),
        (lambda _: b"just text", "image 1 of the request: An image must be a JPEG or PNG file"),
        (lambda _: b"", "image 1 of the request: An image must be a JPEG or PNG file"),
    ],
    ids=["truncated", "text", "empty"],
)
def test_a_bad_image_is_refused_and_the_server_keeps_answering(client, model, image, reason, png):
    with pytest.raises(AskError, match=reason) as refused:
        client.classify_images(model, [png, image(png)])
    assert refused.value.code == "INVALID_ARGUMENT"
    assert len(client.classify_images(model, [png])) == 1


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("signature", [IMAGE_SIGNATURE, EXAMPLES_SIGNATURE])
def test_a_huge_image_is_refused_by_its_header(client, model, signature, png):
    bomb = png_bomb()
    inputs = {IMAGE_INPUT: rows(bomb)} if signature == IMAGE_SIGNATURE else {EXAMPLES_INPUT: rows(example_of(bomb))}
    started = time.perf_counter()
    with pytest.raises(AskError, match="Received: 30,000 x 30,000") as refused:
        client.predict(model, inputs, signature=signature)
    assert time.perf_counter() - started < 2
    assert refused.value.code == "INVALID_ARGUMENT"
    assert len(client.classify_images(model, [png])) == 1


@pytest.mark.parametrize(
    ("model", "version", "message"),
    [
        ("nope", None, r"Servable not found for request: Latest\(nope\).*Check the model's name"),
        ("fashion", 99, r"Servable not found for request: Specific\(fashion, 99\)"),
        ("../../etc", None, "Malformed request|Servable not found"),
    ],
)
def test_an_unknown_model_or_version_is_not_found(client, model, version, message, png):
    with pytest.raises(AskError, match=message) as refused:
        client.classify_images(model, [png], version=version)
    assert refused.value.code in ("NOT_FOUND", "INVALID_ARGUMENT")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({IMAGE_INPUT: np.ones(2, np.float32)}, "dtype string. Received: float32|is not of expected type: string"),
        ({IMAGE_INPUT: rows(b"x").reshape(1, 1)}, r"must have shape \[batch\]. Received: \[1, 1\]"),
        ({"other": rows(b"x")}, "other"),
        ({IMAGE_INPUT: rows(b"x"), "other": rows(b"x")}, "other"),
    ],
    ids=["dtype", "shape", "name", "extra"],
)
def test_wrong_inputs_are_the_requests_fault(client, model, inputs, message):
    with pytest.raises(AskError, match=message) as refused:
        client.predict(model, inputs, signature=IMAGE_SIGNATURE)
    assert refused.value.code == "INVALID_ARGUMENT"
