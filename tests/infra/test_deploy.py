"""What make images and make manifests would do, as far as no Docker and no cluster is needed."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DIGEST = "sha256:" + "5" * 64
OVERLAYS = sorted(path.name for path in (ROOT / "infra/kubernetes/overlays").iterdir())


@pytest.fixture
def checkout(tmp_path):
    """What the scripts read, and the kubectl of infra-check."""
    shutil.copytree(ROOT / "infra/kubernetes", tmp_path / "infra/kubernetes")
    shutil.copytree(ROOT / "infra/docker", tmp_path / "infra/docker")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache/check").symlink_to(ROOT / ".cache/check")
    return tmp_path


def render(checkout, overlay, **environment):
    command = [checkout / "infra/kubernetes/deploy.sh", "render", overlay]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr, checkout / "build/manifests" / f"{overlay}.yaml"


def images(file):
    pods = [
        one["spec"]["template"]["spec"] for one in yaml.safe_load_all(file.read_text()) if one["kind"] == "Deployment"
    ]
    return {container["image"] for pod in pods for container in [*pod["containers"], *pod["initContainers"]]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_rendered_for_a_project_of_one_s_own(checkout, overlay):
    mine = {"REGISTRY": "registry.example/mine", "PROJECT": "mine", "MODELS": "gs://mine-models"}
    code, said, file = render(checkout, overlay, **mine)

    assert code == 0, said
    assert "roadworthy-dev" not in file.read_text()
    assert all(image.startswith("registry.example/mine/") for image in images(file))
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name]


def test_an_image_that_was_pushed_goes_by_its_digest(checkout):
    (checkout / "build/images").mkdir(parents=True)
    metadata = {"containerimage.digest": DIGEST, "image.name": "x"}
    (checkout / "build/images/server-litert.json").write_text(json.dumps(metadata, indent=2))
    _, _, file = render(checkout, "cpu", REGISTRY="registry.example/mine")

    assert images(file) == {f"registry.example/mine/server-litert@{DIGEST}"}


@pytest.mark.parametrize("overlay", ["tpu", "../base/roadworthy", "canary/candidate"])
def test_an_overlay_that_is_none_is_refused(checkout, overlay):
    code, said, file = render(checkout, overlay)

    assert (code, file.exists()) == (2, False)
    assert f"OVERLAY must be one of: canary cpu gpu tf-serving. Received: {overlay}." in said


def test_every_image_has_its_build(tmp_path):
    environment = os.environ | {"DRY_RUN": "1", "REGISTRY": "registry.example/mine", "VERSION": "v1"}
    command = [ROOT / "infra/docker/images.sh", "build"]
    lines = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()

    for line in lines:
        words = line.split()
        assert (ROOT / words[words.index("--file") + 1]).is_file()
    tags = [line.split()[line.split().index("--tag") + 1] for line in lines]
    named = {image.split("/")[-1].split(":")[0] for overlay in OVERLAYS for image in images_of(overlay)}
    assert {f"registry.example/mine/{name}:v1" for name in named} <= set(tags)
    assert any("TF_SERVING_IMAGE=tensorflow/serving:2.19.1-gpu" in line for line in lines)


@pytest.mark.parametrize(
    ("registry", "signed_in"),
    [("europe-west4-docker.pkg.dev/mine/roadworthy", ["europe-west4-docker.pkg.dev"]), ("registry.example/mine", [])],
)
def test_docker_is_signed_in_to_artifact_registry_before_a_push(tmp_path, registry, signed_in):
    gcloud = tmp_path / "gcloud"
    gcloud.write_text("#!/bin/sh\nexit 1\n")
    gcloud.chmod(0o755)
    environment = os.environ | {"DRY_RUN": "1", "REGISTRY": registry, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [ROOT / "infra/docker/images.sh", "push", "server"]
    lines = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()

    assert [line.split()[-1] for line in lines if line.startswith("gcloud auth configure-docker")] == signed_in
    assert "--push" in lines[-1]


def images_of(overlay):
    command = [ROOT / ".cache/check/bin/kubectl", "kustomize", ROOT / "infra/kubernetes/overlays" / overlay]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {line.split("image: ")[1] for line in text.splitlines() if "image: " in line}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "The first word must be list, build, pin, push or sign. Received: nothing."),
        (["build", "servers"], "An image must be one of: server-litert server"),
    ],
)
def test_a_command_line_that_is_none_is_refused(words, told):
    command = [ROOT / "infra/docker/images.sh", *words]
    done = subprocess.run(command, env=os.environ | {"DRY_RUN": "1"}, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert told in done.stderr
