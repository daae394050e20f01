"""A server or a push that is killed, whatever it was doing, leaves nothing that keeps the next one from working."""

import shutil
import subprocess
import sys
import threading
import time

import grpc
import pytest

from contracts.ports import free_port
from contracts.server_process import COMMAND
from roadworthy.serving import protos
from roadworthy.serving.manifest import verify_manifest
from roadworthy.serving.repository import publish
from roadworthy.serving.server.manager import Manager

RELOAD = f"/{protos.MODEL_SERVICE}/HandleReloadConfigRequest"
# Enough to still be copied when the kill comes.
LARGE_BYTES = 256 << 20
PUSH = """
import pathlib, sys
from roadworthy.serving.repository import publish
publish(pathlib.Path(sys.argv[1]), model_root=pathlib.Path(sys.argv[2]), name="colour")
"""


@pytest.mark.parametrize("delay_s", [0.05, 0.5, 1.5])
def test_a_server_killed_while_it_starts_can_be_started_again_on_its_ports_at_once(colour, start, delay_s):
    ports = free_port(), free_port()
    flags = (f"--port={ports[0]}", f"--rest_api_port={ports[1]}", f"--model_base_path={colour.parent}")
    killed = subprocess.Popen([*COMMAND, *flags], stderr=subprocess.DEVNULL)
    time.sleep(delay_s)
    killed.kill()
    killed.wait()
    again = start(f"--model_base_path={colour.parent}", ports=ports)
    assert again.get("/v1/models/default").json()["model_version_status"][0]["state"] == "AVAILABLE"


def test_a_server_killed_while_it_reloads_and_answers_can_be_started_again_on_its_ports_at_once(colour, start):
    flag = f"--model_base_path={colour.parent}"
    first = start(flag)
    asked = protos.ReloadConfigRequest()
    asked.config.model_config_list.config.add(name="default", base_path=str(colour.parent))
    other = protos.ReloadConfigRequest()
    other.config.model_config_list.config.add(name="other", base_path=str(colour.parent))
    reloads = []

    def reload_forever():
        with grpc.insecure_channel(f"127.0.0.1:{first.grpc_port}") as channel:
            call = channel.unary_unary(RELOAD)
            try:
                while True:
                    reloads.append(call((asked, other)[len(reloads) % 2].SerializeToString(), timeout=60))
            except grpc.RpcError:
                return

    reloading = threading.Thread(target=reload_forever)
    reloading.start()
    while len(reloads) < 2:
        time.sleep(0.001)
    first.popen.kill()
    first.popen.wait()
    again = start(flag, ports=(first.grpc_port, first.rest_port))
    reloading.join()
    assert again.get("/v1/models/default/metadata").status_code == 200


def test_a_push_killed_half_way_is_never_served_and_leaves_nothing_after_the_next(colour, tmp_path):
    root, large = tmp_path / "models", shutil.copytree(colour, tmp_path / "large")
    publish(colour, model_root=root, name="colour")
    with (large / "assets.extra" / "weights").open("wb") as file:
        file.truncate(LARGE_BYTES)
    push = subprocess.Popen([sys.executable, "-c", PUSH, str(large), str(root)])
    while not list((root / "colour").glob(".pushing-*/assets.extra/weights")):
        assert push.poll() is None, "it was over before it could be killed"
    push.kill()
    push.wait()
    assert list((root / "colour").glob(".pushing-*"))
    manager = Manager.of_root(root)
    manager.poll()
    assert [number for number, _, _ in manager.statuses("colour")] == [1]
    (large / "assets.extra" / "weights").write_bytes(b"other")
    version = publish(large, model_root=root, name="colour")
    assert version.version == 2
    verify_manifest(version.path)
    assert not list((root / "colour").glob(".pushing-*"))
    manager.poll()
    assert [state.name for _, state, _ in manager.statuses("colour")] == ["AVAILABLE", "END"]
    manager.stop()
