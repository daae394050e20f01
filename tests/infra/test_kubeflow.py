"""`make kubeflow` up to the cluster: ours over a stand-in of upstream's manifests, which a local git has."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
KUSTOMIZATIONS = sorted((ROOT / "infra/kubernetes/kubeflow").glob("*/kustomization.yaml"))
RELEASE = "2.16.0"
ANNOTATION = "iam.gke.io/gcp-service-account"
CLOUD = {
    "accounts": {name: f"mine-kfp-{name}@mine.iam.gserviceaccount.com" for name in ("sql", "run", "ui")},
    "bucket": "mine-kubeflow",
    "cluster": "mine",
    "connection": "mine:europe-west1:mine-kubeflow",
}


def named(kind, name, **rest):
    version = "apps/v1" if kind == "Deployment" else "v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "kubeflow"}, **rest}


def mysql():
    """As upstream's third-party/mysql has it, as far as ours touches it."""
    volume = {"name": "mysql-persistent-storage", "persistentVolumeClaim": {"claimName": "mysql-pv-claim"}}
    container = {
        "name": "mysql",
        "image": "mysql:8.4",
        "args": ["--datadir", "/var/lib/mysql"],
        "env": [{"name": "MYSQL_ALLOW_EMPTY_PASSWORD", "value": "true"}],
        "volumeMounts": [{"name": volume["name"], "mountPath": "/var/lib/mysql"}],
    }
    pod = {"serviceAccountName": "mysql", "containers": [container], "volumes": [volume]}
    labels = {"app": "mysql"}
    spec = {
        "selector": {"matchLabels": labels},
        "strategy": {"type": "Recreate"},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}}
    return [named("Deployment", "mysql", spec=spec), named("PersistentVolumeClaim", "mysql-pv-claim", spec=claim)]


def upstream():
    return [
        *mysql(),
        named("Service", "mysql", spec={"selector": {"app": "mysql"}, "ports": [{"port": 3306}]}),
        named("Secret", "mysql-secret", stringData={"username": "root", "password": ""}),
        named("ConfigMap", "kfp-launcher", data={"defaultPipelineRoot": ""}),
        *(named("ServiceAccount", name) for name in ("mysql", "pipeline-runner", "ml-pipeline-ui")),
    ]


@pytest.fixture
def kubeflow(tmp_path):
    """Runs kubeflow.sh of a copy on a stand-in of upstream, some of which may be left out; what it said and wrote."""
    checkout, github = tmp_path / "checkout", tmp_path / "github/kubeflow/pipelines"
    shutil.copytree(ROOT / "infra/kubernetes", checkout / "infra/kubernetes")
    for part in (".venv", ".cache"):
        (checkout / part).symlink_to(ROOT / part)

    def run(folder, without=(), **environment):
        for path, manifests in {
            "env/platform-agnostic": [
                one for one in upstream() if (one["kind"], one["metadata"]["name"]) not in without
            ],
            "cluster-scoped-resources": [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kubeflow"}}],
        }.items():
            where = github / "manifests/kustomize" / path
            where.mkdir(parents=True)
            (where / "all.yaml").write_text(yaml.safe_dump_all(manifests))
            (where / "kustomization.yaml").write_text("resources: [all.yaml]\n")
        me = ("-c", "user.name=me", "-c", "user.email=me@example.com")
        for words in (["init", "-q"], ["add", "."], [*me, "commit", "-qm", "a stand-in"], [*me, "tag", RELEASE]):
            subprocess.run(["git", "-C", github, *words], check=True)
        elsewhere = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_VALUE_0": "https://github.com/"}
        elsewhere["GIT_CONFIG_KEY_0"] = f"url.file://{tmp_path}/github/.insteadOf"
        done = subprocess.run(
            [checkout / "infra/kubernetes/kubeflow.sh", folder],
            env=os.environ | elsewhere | {"DRY_RUN": "1"} | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done, checkout / "build/manifests/kubeflow"

    return run


@pytest.fixture
def applied(tmp_path):
    """A folder of Terraform that was applied, with the output that it is told."""
    folder = tmp_path / "terraform"
    folder.mkdir()

    def apply(**output):
        (folder / "outputs.tf").write_text(
            f'output "kubeflow" {{\n  value = jsondecode({json.dumps(json.dumps(output))})\n}}\n'
        )
        for words in (["init"], ["apply", "-auto-approve"]):
            subprocess.run(["terraform", f"-chdir={folder}", *words, "-input=false"], capture_output=True, check=True)
        return folder

    return apply


def test_ours_changes_the_database_the_bucket_and_the_accounts_of_upstreams(kubeflow, applied):
    done, rendered = kubeflow(applied(**CLOUD))
    assert done.returncode == 0, done.stderr
    found = {
        (one["kind"], one["metadata"]["name"]): one
        for one in yaml.safe_load_all((rendered / "namespaced.yaml").read_text())
    }

    assert set(found) == {(one["kind"], one["metadata"]["name"]) for one in upstream()} - {
        ("PersistentVolumeClaim", "mysql-pv-claim")
    }
    pod = found["Deployment", "mysql"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert not {"env", "volumeMounts"} & set(container)
    assert not pod.get("volumes")
    assert container["args"][:3] == [CLOUD["connection"], "--auto-iam-authn", "--private-ip"]
    assert found["Deployment", "mysql"]["spec"]["strategy"] == {"type": "RollingUpdate"}
    assert found["Secret", "mysql-secret"]["stringData"] == {"username": "mine-kfp-sql", "password": ""}
    assert found["ConfigMap", "kfp-launcher"]["data"] == {"defaultPipelineRoot": "gs://mine-kubeflow/artifacts"}
    accounts = {"mysql": "sql", "pipeline-runner": "run", "ml-pipeline-ui": "ui"}
    for name, account in accounts.items():
        assert found["ServiceAccount", name]["metadata"]["annotations"] == {ANNOTATION: CLOUD["accounts"][account]}


@pytest.mark.parametrize(
    "gone", [(one["kind"], one["metadata"]["name"]) for one in upstream() if one["kind"] != "Service"]
)
def test_what_upstream_names_otherwise_by_now_is_told(kubeflow, applied, gone):
    done, _ = kubeflow(applied(**CLOUD), without=[gone])

    assert done.returncode == 2
    assert gone[1] in done.stderr


def test_ours_is_what_the_schemas_of_kubernetes_allow(kubeflow, applied):
    _, rendered = kubeflow(applied(**CLOUD))
    script = (
        "import sys, yaml; from manifest_check.schemas import schema_faults;"
        " sys.exit('\\n'.join(schema_faults(list(yaml.safe_load_all(sys.stdin)))) or None)"
    )
    done = subprocess.run(
        [ROOT / ".cache/check/bin/python", "-c", script],
        env=os.environ | {"PYTHONPATH": str(ROOT / "infra/check")},
        input=(rendered / "namespaced.yaml").read_text(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_what_the_engine_needs_is_there_before_what_needs_it(kubeflow, applied, recorder):
    done, _ = kubeflow(applied(**CLOUD), DRY_RUN="", **recorder.environment)

    assert done.returncode == 0, done.stderr
    assert [line.split(" --timeout")[0] for line in recorder.asked()] == [
        "--context=here apply --server-side -f build/manifests/kubeflow/cluster.yaml",
        "--context=here wait --for=condition=established",
        "--context=here apply --server-side -f build/manifests/kubeflow/namespaced.yaml",
        "--context=here -n kubeflow wait --for=condition=available",
    ]


def test_both_parts_are_of_one_release():
    references = {yaml.safe_load(file.read_text())["resources"][0].partition("?ref=")[2] for file in KUSTOMIZATIONS}

    assert (len(KUSTOMIZATIONS), references) == (2, {RELEASE})


def test_what_is_no_folder_of_terraform_is_refused(kubeflow, tmp_path):
    done, rendered = kubeflow(tmp_path / "nowhere")

    assert (done.returncode, rendered.exists()) == (2, False)
    assert "FROM must be a folder of Terraform with the output kubeflow. Received: " in done.stderr


def test_what_was_not_applied_is_refused(kubeflow, tmp_path):
    (tmp_path / "outputs.tf").touch()
    done, rendered = kubeflow(tmp_path)

    assert (done.returncode, rendered.exists()) == (2, False)
    assert "must be applied, with the output kubeflow. Received: " in done.stderr


def test_an_output_of_another_shape_is_refused(kubeflow, applied):
    done, rendered = kubeflow(applied(**{**CLOUD, "accounts": {"sql": "one"}}))

    assert (done.returncode, list(rendered.glob("*.yaml"))) == (2, [])
    assert "The output kubeflow must have accounts (sql, run, ui), bucket and connection." in done.stderr
    assert "Traceback" not in done.stderr
