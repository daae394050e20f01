"""The Dockerfiles of servers and pipeline, followed in fresh roots of Debian 13; what comes out is run and asked."""

import contextlib
import dataclasses
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "infra" / "check"))

from image_check.build import Build  # noqa: E402
from image_check.container import running  # noqa: E402

pytestmark = pytest.mark.images

IMAGES = dict(
    line.split("=", 1)
    for line in (ROOT / "infra/docker/images.env").read_text().split("\n")
    if "=" in line and line[0] != "#"
)
TARGETS = os.environ.get("TARGETS", "litert").split()
PIPELINES = [target for target in TARGETS if target.startswith("pipeline")]
SERVERS = [target for target in TARGETS if target not in PIPELINES]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The image's own models.config serves `fashion`; here that is a real int8 classifier of handwritten digits."""
    from contracts.digits import write_litert
    from roadworthy.serving.repository import publish

    folder = tmp_path_factory.mktemp("models")
    publish(write_litert(folder / "made"), model_root=folder / "root", name="fashion")
    # The container's user is another than the one that runs the test, as the sync's fsGroup takes care of in a cluster.
    for path in [folder, folder.parent, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder / "root"


@pytest.fixture(scope="module")
def digit(tmp_path_factory):
    """A real handwritten digit as a PNG file."""
    from contracts.digits import digits, png

    return png(digits()[0][0])


@contextlib.contextmanager
def built_image(file, target):
    # In memory: a root has five thousand files, and there is one for each stage.
    roots = Path(tempfile.mkdtemp(prefix="roots-", dir="/dev/shm"))
    try:
        yield Build(ROOT / "infra/docker" / file, context=ROOT, roots=roots, images=IMAGES).image(target)
    finally:
        shutil.rmtree(roots)


@pytest.fixture(scope="module", params=SERVERS)
def image(request):
    with built_image("server.Dockerfile", request.param) as built:
        yield request.param, built


def test_the_image_s_own_command_serves_an_int8_model_to_its_own_client(image, models, digit, tmp_path):
    _, built = image
    (built.root / "digit.png").write_bytes(digit)
    (built.root / "digit.png").chmod(0o644)
    assert built.user == "10001:10001"
    with running(built, models=models, log=tmp_path / "log") as container:
        assert container.healthy_within(90), (tmp_path / "log").read_text()
        asked = container.run(
            ["roadworthy", "predict", "--server", "127.0.0.1:8500", "--model", "fashion", "--json", "/digit.png"]
        )
        assert asked.returncode == 0, asked.stderr
        answer = json.loads(asked.stdout)
        assert answer["label"] == here(models, digit)
        who = container.run(
            ["sh", "-c", "id -u; touch /here 2>&1; touch /opt/roadworthy/here 2>&1; touch /models/here 2>&1"]
        )
        assert who.stdout.splitlines()[0] == "10001"
        assert who.stdout.count("Read-only file system") == 3
        metrics = container.run(["python3.11", "-c", METRICS]).stdout
        assert ':tensorflow:serving:request_count{model_name="fashion",status="OK"} 1' in metrics
        assert container.stop() == 0


def test_only_the_full_image_has_tensorflow(image):
    target, built = image
    installed = {path.name for path in (built.root / "opt/roadworthy/lib/python3.11/site-packages").iterdir()}

    assert ("tensorflow" in installed) == (target == "full")
    assert "pip" not in installed


def test_the_model_sync_is_in_it(image, models, tmp_path):
    _, built = image
    with running(built, models=models, log=tmp_path / "log") as container:
        assert container.healthy_within(90), (tmp_path / "log").read_text()
        done = container.run(["roadworthy-model-sync", "--from=/models", "--to=/tmp", "--once"])
        listed = container.run(["sh", "-c", "cd /tmp/fashion && ls"]).stdout.split()

    assert (done.returncode, listed) == (0, ["1"]), done.stderr


@pytest.mark.parametrize("target", PIPELINES)
def test_the_pipeline_s_image_has_all_that_a_node_imports(target, tmp_path):
    with built_image("pipeline.Dockerfile", target) as built:
        (tmp_path / "none").mkdir()
        idle = dataclasses.replace(built, entrypoint=["sleep"], command=["600"])
        with running(idle, models=tmp_path / "none", log=tmp_path / "log") as container:
            helped = container.run([*built.entrypoint, *built.command])
            imported = container.run(["python", "-c", NODE_IMPORTS])

    assert (built.user, helped.returncode) == ("10001:10001", 0)
    assert imported.stdout.split()[:3] == ["2.21.0", "1.21.0", "1.21.0"], imported.stderr
    # CUDA's libraries are found by TensorFlow where NVIDIA's wheels put them; a GPU to use them on is not here.
    assert (imported.stdout.split()[3:] == ["nvidia.cudnn"]) == (target == "pipeline-gpu")


NODE_IMPORTS = """
import keras, ml_metadata, tensorflow as tf, tensorflow_data_validation, tensorflow_model_optimization
from tfx import v1
print(tf.__version__, ml_metadata.__version__, v1.__version__)
import importlib.util
if importlib.util.find_spec("nvidia"): print("nvidia.cudnn" if importlib.util.find_spec("nvidia.cudnn") else "")
"""
METRICS = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8501/monitoring/prometheus/metrics').read().decode())"


def here(models: Path, image: bytes) -> str:
    """The label that the model gives in this process."""
    import numpy as np

    from roadworthy.serving.servables.open import open_servable

    array = np.empty(1, dtype=object)
    array[0] = image
    servable = open_servable(models / "fashion" / "1")
    try:
        return servable.predict("image_bytes", {"image_bytes": array})["label"][0].decode()
    finally:
        servable.close()
