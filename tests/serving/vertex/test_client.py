"""An endpoint asked like a model server."""

import json
import shutil

import pytest
from click.testing import CliRunner

from contracts.vertex.colours import deploy
from contracts.vertex.server import PARENT, Fault
from roadworthy.pipeline.cli.main import cli
from roadworthy.serving import protos
from roadworthy.serving.client import Client, InvalidOption, InvalidRequest, NotFound, Overloaded, UnreadableAnswer
from roadworthy.serving.client.retry import Retry
from roadworthy.serving.contract import IMAGE_KEY
from roadworthy.serving.server.listening import Listening
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.model_config import ModelConfig
from roadworthy.serving.server.run import ModelServer
from roadworthy.serving.vertex.client import VertexClient
from roadworthy.serving.vertex.place import place_of


@pytest.fixture
def endpoint(push, models, colours):
    """A client of an endpoint with one version."""
    deploy(push, models("first"), colours)
    return VertexClient(push.place, "colours", retry=Retry(attempts=2, first_s=0.001, longest_s=0.001))


def test_it_answers_what_a_model_server_answers(endpoint, models, colours, tmp_path):
    found = endpoint.predict("colours", {"image_bytes": colours})
    shutil.copytree(models("first"), tmp_path / "base" / "1")
    manager = Manager.of_models([ModelConfig("colours", tmp_path / "base")])
    with (
        ModelServer(manager, Listening(grpc_port=0, rest_port=None)) as server,
        Client.open(f"127.0.0.1:{server.grpc_port}") as client,
    ):
        wanted = client.predict("colours", {"image_bytes": colours}, signature="image_bytes")
    assert found["label"].tolist() == wanted["label"].tolist()
    assert found["scores"] == pytest.approx(wanted["scores"], abs=1e-6)


def test_many_images_are_sent_in_requests_that_are_short_enough(endpoint, colours, vertex):
    noise = colours[0] + b"\0" * 400_000  # what follows a PNG's end is not looked at
    before = vertex.methods().count("Predict")
    assert endpoint.predict("colours", {"image_bytes": [noise] * 5})["label"].tolist() == [b"red"] * 5
    assert vertex.methods().count("Predict") - before == 3


def test_overload_is_tried_again_and_then_told(endpoint, colours, vertex):
    vertex.faults.append(Fault("Predict", "RESOURCE_EXHAUSTED", "Quota exceeded for online prediction requests"))
    endpoint.predict("colours", {"image_bytes": colours})
    vertex.faults.append(
        Fault("Predict", "RESOURCE_EXHAUSTED", "Quota exceeded for online prediction requests", times=2)
    )
    with pytest.raises(Overloaded, match="IAM & Admin, Quotas"):
        endpoint.predict("colours", {"image_bytes": colours})


def test_an_endpoint_that_is_not_there_is_told(push, colours):
    with pytest.raises(NotFound, match=r"endpoint nowhere in us-central1 can't answer: NOT_FOUND"):
        VertexClient(push.place, "nowhere").predict("", {"image_bytes": colours})


def test_a_version_cannot_be_asked_for(endpoint, colours):
    with pytest.raises(InvalidRequest, match="the traffic split's to say"):
        endpoint.predict("colours", {"image_bytes": colours}, version=1)


@pytest.mark.parametrize("name", ["fashion", "projects/p/endpoints/fashion", "a/b"])
def test_an_endpoint_without_a_place_is_refused(name):
    with pytest.raises(InvalidOption, match="--project and --region"):
        place_of(name, project=None, region="us-central1")


def example(image: bytes) -> bytes:
    message = protos.Example()
    message.features.feature[IMAGE_KEY].bytes_list.value.append(image)
    return message.SerializeToString()


def test_any_signature_of_one_string_answers_what_it_answers_on_a_model_server(push, models, colours, tmp_path):
    deploy(push, models("first"), colours)
    files = [tmp_path / f"{number}.example" for number in range(4)]
    for file, image in zip(files, colours, strict=True):
        file.write_bytes(example(image))
    shutil.copytree(models("first"), tmp_path / "base" / "1")
    manager = Manager.of_models([ModelConfig("colours", tmp_path / "base")])
    words = ["--signature", "serving_default", "--json", *map(str, files)]
    with ModelServer(manager, Listening(grpc_port=0, rest_port=None)) as server:
        address = ["--server", f"127.0.0.1:{server.grpc_port}", "--model", "colours"]
        asked = CliRunner().invoke(cli, ["predict", *address, *words], catch_exceptions=False)
    done = CliRunner().invoke(
        cli, ["predict", "--vertex", f"{PARENT}/endpoints/colours", *words], catch_exceptions=False
    )
    wanted, found = ([json.loads(line) for line in run.stdout.splitlines()] for run in (asked, done))
    assert [one["file"] for one in found] == list(map(str, files))
    assert [one["outputs"]["label"] for one in found] == [one["label"] for one in wanted]
    assert [max(one["outputs"]["scores"]) for one in found] == pytest.approx([one["score"] for one in wanted], abs=1e-6)


def test_rows_of_a_signature_that_take_several_requests_stay_in_order(endpoint, colours):
    found = endpoint.predict(
        "", {"examples": [example(image + b"\0" * 400_000) for image in colours]}, signature="serving_default"
    )
    assert found["label"].tolist() == [b"red", b"green", b"blue", b"red"]


def test_a_signature_the_model_lacks_is_told(endpoint):
    with pytest.raises(InvalidRequest, match=r"endpoint colours in us-central1 can't answer: .*nowhere"):
        endpoint.predict("", {"a": [b"x"]}, signature="nowhere")


@pytest.mark.parametrize("said", [b"no JSON", b"[]", b'{"predictions": [1]}', b'{"predictions": [[1], [1, 2]]}'])
def test_an_answer_of_something_else_is_told(endpoint, vertex, monkeypatch, said):
    monkeypatch.setattr(vertex.containers, "ask", lambda *_: said)
    with pytest.raises(UnreadableAnswer, match="a row for each of 2 inputs"):
        endpoint.predict("", {"a": [b"x", b"y"]}, signature="some")


@pytest.mark.parametrize(
    ("said", "value"),
    [(b'[{"b64": "AP8="}]', b"\x00\xff"), (b'["a\\u0000"]', b"a\0"), (b"[2.5]", 2.5), (b"[true]", True)],
)
def test_a_single_output_has_a_name_of_its_own(endpoint, vertex, monkeypatch, said, value):
    monkeypatch.setattr(vertex.containers, "ask", lambda *_: b'{"predictions": ' + said + b"}")
    found = endpoint.predict("", {"a": [b"x"]}, signature="some")
    assert found["outputs"].tolist() == [value]


def test_the_command_line_asks_about_files(endpoint, colours, tmp_path):
    files = [tmp_path / f"{number}.png" for number in range(4)]
    for file, image in zip(files, colours, strict=True):
        file.write_bytes(image)
    done = CliRunner().invoke(cli, ["predict", "--vertex", f"{PARENT}/endpoints/colours", *map(str, files)])
    assert [row.split("\t")[1] for row in done.stdout.splitlines()] == ["red", "green", "blue", "red"], done.exception
