"""What docker compose would run holds together, and a real Prometheus answers its queries from a real server."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from urllib.parse import urlencode

import grpc
import httpx
import pytest
import yaml

from contracts.mean_colour import write_mean_colour
from contracts.pictures import encode, pixels
from contracts.ports import free_port
from roadworthy.serving.client import Client
from roadworthy.serving.server.listening import Listening
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.metrics import PROMETHEUS_PATH
from roadworthy.serving.server.run import ModelServer

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "infra/compose"
MONITORING = ROOT / "infra/modules/monitoring"
SERVICES = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
DASHBOARD = json.loads((COMPOSE / "grafana/serving.json").read_text())
# What Grafana puts there before it asks.
VARIABLES = {"$__rate_interval": "30s", "$model": ".*"}


def queries() -> dict[str, str]:
    """Every expression of the dashboard, the alerts and the autoscaler's rule, by where it stands."""
    found = {
        f"{panel['title']}/{target['refId']}": target["expr"]
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    }
    for group in yaml.safe_load((COMPOSE / "alerts.yml").read_text())["groups"]:
        found |= {rule["alert"]: rule["expr"] for rule in group["rules"]}
    rule = yaml.safe_load((ROOT / "infra/kubernetes/base/serving/latency-rule.yaml").read_text())
    found |= {one["record"]: one["expr"] for group in rule["spec"]["groups"] for one in group["rules"]}
    for name, value in VARIABLES.items():
        found = {place: query.replace(name, value) for place, query in found.items()}
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that has answered a request over each transport, and refused one."""
    root = tmp_path_factory.mktemp("models")
    write_mean_colour(root / "colour" / "1")
    with ModelServer(
        Manager.of_root(root), Listening(grpc_port=0, rest_port=0, metrics_path=PROMETHEUS_PATH)
    ) as running:
        ask(running)
        yield running


def ask(server):
    for transport, port in (("grpc", server.grpc_port), ("rest", server.rest_port)):
        with Client.open(f"127.0.0.1:{port}", transport=transport) as client:
            client.classify_images("colour", [encode(pixels(0, height=8, width=8))])


def test_every_query_asks_for_what_the_server_exports(server):
    text = httpx.get(f"http://127.0.0.1:{server.rest_port}{PROMETHEUS_PATH}", trust_env=False).text
    exported = set(re.findall(r"^(:[\w:]+)\{", text, re.MULTILINE)) | {"up"}
    labels = set(re.findall(r'[{,](\w+)="', text)) | {"job", "track"}

    for place, query in queries().items():
        names = set(re.findall(r'__name__="([^"]+)"', query)) | ({"up"} if "up{" in query else set())
        assert names, place
        assert names <= exported, place
        grouped = {word.strip() for words in re.findall(r"by \(([^)]*)\)", query) for word in words.split(",")}
        assert grouped <= labels, place


def test_what_terraform_alerts_on_is_what_the_server_exports(server):
    text = httpx.get(f"http://127.0.0.1:{server.rest_port}{PROMETHEUS_PATH}", trust_env=False).text
    kinds = dict(re.findall(r"^# TYPE (:[\w:]+) (\w+)$", text, re.MULTILINE))
    objectives = (MONITORING / "objectives.tf").read_text()
    asked = dict(re.findall(r"prometheus\.googleapis\.com/(:[\w:]+)/(\w+)", objectives))

    assert len(asked) == 2
    assert {name: kinds.get(name) for name in asked} == asked
    (requests,) = [name for name, kind in asked.items() if kind == "counter"]
    labels = dict(re.findall(r'(\w+)="([^"]*)"', re.search(rf"^{requests}{{(.*)}}", text, re.MULTILINE)[1]))
    assert set(re.findall(r"metric\.labels\.(model_name|status)", objectives)) <= labels.keys()
    failures = re.search(r'labels\.status=monitoring\.regex\.full_match\(\\"([^\\]+)', objectives)[1].split("|")
    assert {code.name for code in grpc.StatusCode} > set(failures) > {"INTERNAL", "UNAVAILABLE"}


def test_every_service_has_a_read_only_root_no_rights_a_health_check_and_loopback_alone():
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name
        assert re.search(r":[^:]*\d", service["image"]) or "VERSION" in service["image"], name
        # The server's is its image's own.
        assert "healthcheck" in service or name == "server"


def test_every_file_that_is_mounted_is_there():
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service["volumes"]]
    files = [path for path in mounted if path.startswith(".")]

    assert len(files) >= 6
    assert [path for path in files if not (COMPOSE / path).exists()] == []


@pytest.fixture(scope="module")
def prometheus(server, tmp_path_factory):
    """A real Prometheus with our config, save the address that it asks; yields its own."""
    program = shutil.which("prometheus") or unpacked_prometheus()
    folder = tmp_path_factory.mktemp("prometheus")
    shutil.copy(COMPOSE / "alerts.yml", folder)
    config = (COMPOSE / "prometheus.yml").read_text().replace("server:8501", f"127.0.0.1:{server.rest_port}")
    (folder / "prometheus.yml").write_text(config.replace("5s", "1s"))
    listen = f"127.0.0.1:{free_port()}"
    command = [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("w") as log:
        running = subprocess.Popen([*command, f"--web.listen-address={listen}"], stderr=log)
    try:
        yield f"http://{listen}"
    finally:
        running.terminate()
        running.wait()


def unpacked_prometheus() -> Path:
    """Debian's package, unpacked below .cache."""
    folder = ROOT / ".cache/prometheus"
    program = folder / "usr/bin/prometheus"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "-qq", "download", "prometheus"], cwd=folder, check=True)
        subprocess.run(["dpkg", "-x", next(folder.glob("*.deb")), folder], check=True)
    return program


@pytest.mark.images
def test_a_real_prometheus_reads_the_server_and_answers_every_query(server, prometheus):
    deadline = time.monotonic() + 60
    # Nothing failed by the server's fault, so a share of it is no series.
    empty = {"Share that failed by the server's fault/A"}
    waiting = queries()
    while waiting.keys() - empty and time.monotonic() < deadline:
        ask(server)
        time.sleep(1)
        answers = {place: answer(prometheus, query) for place, query in waiting.items()}
        # An alert is well when nothing comes; that it can be asked at all is what is seen here.
        waiting = {place: waiting[place] for place, found in answers.items() if not found and not is_alert(place)}
    assert set(waiting) <= empty
    alerts = httpx.get(f"{prometheus}/api/v1/rules", trust_env=False).json()["data"]["groups"][0]["rules"]
    assert {rule["health"] for rule in alerts} == {"ok"}


@pytest.mark.images
def test_an_outage_is_seen_where_nothing_is_counted_any_more(prometheus):
    asked = re.search(r'query += "(.*)"$', (MONITORING / "outage.tf").read_text(), re.MULTILINE)[1].replace("\\", "")
    assert 'namespace="models"' in asked
    deadline = time.monotonic() + 30
    while answer(prometheus, asked.replace('namespace="models"', 'job="model-server"')):
        assert time.monotonic() < deadline
        time.sleep(1)

    (found,) = answer(prometheus, asked)  # here there is no such namespace
    assert found["value"][1] == "0"


def answer(address, query):
    asked = httpx.get(f"{address}/api/v1/query?{urlencode({'query': query})}", trust_env=False)
    said = asked.json()
    assert said["status"] == "success", (query, said)
    return said["data"]["result"]


def is_alert(place):
    return place.startswith("ModelServer")
