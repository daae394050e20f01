"""A server is ready when its models are, not when its ports are open."""

import shutil
import time

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from contracts.mean_colour import write_mean_colour
from roadworthy.serving.server.manager import Loading, Manager
from roadworthy.serving.server.model_config import ModelConfig
from roadworthy.serving.server.run import Listening, ModelServer

LISTENING = Listening(grpc_port=0, rest_port=0, health=True)
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def served(tmp_path):
    """A server of the models `here`, which has a version, and `late`, which has none."""
    write_mean_colour(tmp_path / "here" / "1")
    configs = [ModelConfig(name, tmp_path / name) for name in ("here", "late")]
    manager = Manager.of_models(configs, loading=Loading(poll_interval_s=0.05))
    with ModelServer(manager, LISTENING) as server:
        yield server


def get(server, path):
    return httpx.get(f"http://127.0.0.1:{server.rest_port}{path}", trust_env=False, timeout=10).status_code


def health(server):
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        return health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10).status


def ready_within(server, seconds):
    deadline = time.monotonic() + seconds
    while get(server, "/readyz") != 200 and time.monotonic() < deadline:
        time.sleep(0.02)
    return get(server, "/readyz") == 200


def test_a_model_without_a_version_keeps_the_server_unready_but_alive(served):
    assert (get(served, "/readyz"), get(served, "/livez"), health(served)) == (503, 200, NOT_SERVING)
    assert get(served, "/v1/models/here") == 200


def test_it_is_ready_once_the_last_model_answers(served, tmp_path):
    (tmp_path / "late").mkdir()
    write_mean_colour(tmp_path / "aside").rename(tmp_path / "late" / "1")

    assert ready_within(served, 20)
    assert health(served) == SERVING


def test_a_first_version_that_can_not_be_loaded_is_no_model(tmp_path):
    folder = write_mean_colour(tmp_path / "here" / "1")
    (folder / "model.tflite").write_bytes(b"no model at all")
    with ModelServer(Manager.of_root(tmp_path), LISTENING) as server:
        assert get(server, "/readyz") == 503


def test_a_root_without_models_is_not_ready(tmp_path):
    with ModelServer(Manager.of_root(tmp_path), LISTENING) as server:
        assert (get(server, "/readyz"), health(server)) == (503, NOT_SERVING)


def test_a_model_that_comes_later_and_fails_does_not_take_the_others_down(tmp_path):
    write_mean_colour(tmp_path / "here" / "1")
    with ModelServer(Manager.of_root(tmp_path, loading=Loading(poll_interval_s=0.05)), LISTENING) as server:
        assert ready_within(server, 20)
        shutil.copytree(tmp_path / "here", tmp_path / "bad")
        (tmp_path / "bad" / "1" / "model.tflite").write_bytes(b"no model at all")
        deadline = time.monotonic() + 20
        while "bad" not in server.manager.models() and time.monotonic() < deadline:
            time.sleep(0.02)

        assert "bad" in server.manager.models()
        assert (get(server, "/readyz"), health(server)) == (200, SERVING)
