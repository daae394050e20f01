"""What make images and make manifests would do, as far as no Docker and no cluster is needed."""

import hashlib
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


def deploy(checkout, *words, **environment):
    command = [checkout / "infra/kubernetes/deploy.sh", *words]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


def render(checkout, overlay, **environment):
    done = deploy(checkout, "render", overlay, **environment)
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


@pytest.mark.parametrize(("given", "context"), [("", "here"), ("there", "there")])
def test_the_cluster_is_named_before_it_is_changed(checkout, recorder, given, context):
    done = deploy(checkout, "apply", "cpu", **recorder.environment | {"CONTEXT": given})

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"to the cluster of kubectl's context {context}\n")
    assert recorder.asked() == [
        f"--context={context} apply --server-side -f build/manifests/cpu.yaml",
        f"--context={context} -n models rollout status deployment/model-server --timeout=15m",
    ]


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"CONTEXT": "her"}, "CONTEXT must be one of kubectl's: here there. Received: her."),
        ({"KUBECONFIG": "/dev/null"}, "kubectl must have a current context, or CONTEXT name one. Received: none."),
    ],
)
def test_without_a_cluster_nothing_is_applied(checkout, recorder, environment, told):
    done = deploy(checkout, "apply", "cpu", **recorder.environment | environment)

    assert (done.returncode, recorder.asked()) == (2, [])
    assert told in done.stderr


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


@pytest.fixture
def pin(tmp_path):
    """Runs `images.sh pin` on a copy, with a registry that has all save `missing`; returns what comes of it."""
    for part in ("docker", "compose"):
        shutil.copytree(ROOT / "infra" / part, tmp_path / "infra" / part)
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()

    def run(missing="-"):
        # As docker: buildx version, and buildx imagetools inspect IMAGE --format …
        docker.write_text(f"""#!/bin/sh
        [ "$2" != version ] || exit 0
        [ "$4" != "{missing}" ] || exit 1
        printf sha256: && printf %s "$4" | sha256sum | cut -d" " -f1
        """)
        docker.chmod(0o755)
        environment = os.environ | {"PATH": f"{docker.parent}:{os.environ['PATH']}", "VERSION": "v1"}
        command = [tmp_path / "infra/docker/images.sh", "pin"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        files = [tmp_path / "infra/docker/images.env", tmp_path / "infra/compose/compose.yaml"]
        return done.returncode, done.stderr, [file.read_text() for file in files]

    return run


def test_pinning_names_every_image_by_its_digest_also_those_of_compose(pin):
    code, said, (variables, compose) = pin()

    assert code == 0, said
    pinned = [line for line in variables.splitlines() if line[:1].isupper()]
    pinned += [each["image"] for each in yaml.safe_load(compose)["services"].values() if "VERSION" not in each["image"]]
    assert len(pinned) == 10
    for line in pinned:
        image, _, digest = line.split("=")[-1].partition("@")
        assert digest == f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"
    assert pin()[2] == [variables, compose], "a second time changes nothing"


def test_an_image_that_no_registry_has_leaves_all_as_it_was(pin):
    code, said, files = pin(missing="grafana/grafana:12.1.1")

    assert (code, "grafana/grafana:12.1.1 must be in its registry." in said) == (2, True)
    assert not any("@sha256:" in text for text in files)


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
