"""The server as a container of Vertex AI, asked the way Vertex AI asks."""

import base64
import contextlib
import http.client
import json

import pytest

from contracts.mean_colour import write_mean_colour
from contracts.pictures import encode, pixels
from contracts.ports import free_port
from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.aip import fetch_model, read_aip
from roadworthy.serving.server.flags import parser
from roadworthy.serving.server.main import listening_of, manager_of
from roadworthy.serving.server.run import ModelServer

ROUTES = {"AIP_HEALTH_ROUTE": "/v1/endpoints/7/deployedModels/8", "AIP_PREDICT_ROUTE": "/v1/endpoints/7:predict"}


@contextlib.contextmanager
def container(storage_uri):
    """A server started by the variables alone; yields a function that asks it."""
    port = free_port()
    environment = {"AIP_HTTP_PORT": str(port), "AIP_STORAGE_URI": str(storage_uri), **ROUTES}
    given = parser().parse_args(["--port=0", "--model_name=colours"])

    def ask(method, route, document=None):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            connection.request(method, route, None if document is None else json.dumps(document))
            answer = connection.getresponse()
            return answer.status, answer.read()

    with ModelServer(manager_of(given, environment), listening_of(given, environment)):
        yield ask


def red() -> dict:
    image = pixels(0) * 0
    image[..., 0] = 255
    return {"b64": base64.b64encode(encode(image)).decode()}


def test_it_answers_on_the_routes_it_is_told(tmp_path):
    with container(write_mean_colour(tmp_path / "model")) as ask:
        assert ask("GET", ROUTES["AIP_HEALTH_ROUTE"])[0] == 200
        # Vertex AI adds the parameters of a request to its instances.
        body = {"signature_name": "image_bytes", "instances": [red()], "parameters": {}}
        status, answer = ask("POST", ROUTES["AIP_PREDICT_ROUTE"], body)
    assert status == 200
    assert json.loads(answer)["predictions"][0]["label"] == "red"


def test_a_model_that_cannot_be_loaded_is_not_healthy(tmp_path):
    folder = write_mean_colour(tmp_path / "model")
    (folder / "model.tflite").write_bytes(b"no flatbuffer")
    with container(folder) as ask:
        assert ask("GET", ROUTES["AIP_HEALTH_ROUTE"])[0] == 503


def test_a_folder_of_versions_is_served_as_it_is(tmp_path):
    write_mean_colour(tmp_path / "models" / "3")
    with container(tmp_path / "models") as ask:
        told = json.loads(ask("GET", "/v1/models/colours")[1])
    assert told["model_version_status"][0]["version"] == "3"


def test_a_model_on_cloud_storage_is_fetched(tmp_path, gcs):
    folder = write_mean_colour(tmp_path / "model")
    for path in filter(lambda path: path.is_file(), folder.rglob("*")):
        gcs.buckets.put("rw-bucket", f"aip/{path.relative_to(folder)}", path.read_bytes(), {})
    with container("gs://rw-bucket/aip") as ask:
        assert ask("GET", ROUTES["AIP_HEALTH_ROUTE"])[0] == 200


def test_a_bucket_without_the_model_is_told(gcs):
    with pytest.raises(ServeError, match="where no object is"):
        fetch_model("gs://rw-bucket/nothing-here")


def test_an_object_above_the_model_is_not_written(gcs, tmp_path):
    gcs.buckets.put("rw-bucket", "hostile/../../../escaped", b"x", {})
    with pytest.raises(ServeError, match="no object above itself"):
        fetch_model("gs://rw-bucket/hostile")


@pytest.mark.parametrize("port", ["", "0", "80 80", "65536", "-1", "٣"])
def test_a_port_that_is_none_is_told(port):
    with pytest.raises(ServeError, match="AIP_HTTP_PORT must be a port"):
        read_aip({"AIP_HTTP_PORT": port})


def test_outside_vertex_ai_nothing_is_read():
    assert read_aip({"AIP_STORAGE_URI": "gs://b/m"}) is None
