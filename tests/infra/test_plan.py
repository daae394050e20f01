"""`make tf-plan` with a real Terraform and its real GCS backend, against the provider's schema and a local bucket."""

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.gcs.server import gcs_server
from roadworthy.pipeline.config import load_config

ROOT = Path(__file__).parents[2]


def test_from_a_plan_to_a_config(tmp_path, attached):
    infra = tmp_path / "infra"
    shutil.copytree(ROOT / "infra", infra, ignore=shutil.ignore_patterns("check", ".terraform", "*.hcl", "*.tfplan"))
    config = shutil.copy(ROOT / "examples/fashion.yaml", tmp_path / "fashion.yaml")

    with gcs_server(tmp_path, "roadworthy-dev-terraform") as gcs:
        cloud = {"STORAGE_EMULATOR_HOST": gcs.url, "GOOGLE_OAUTH_ACCESS_TOKEN": "a-token-of-the-test"}
        planned = attached(infra, infra / "plan.sh", "dev", **cloud)
        assert planned.returncode == 0, planned.stderr
        assert "tf-plan: terraform -chdir=infra/envs/dev apply dev.tfplan" in planned.stdout
        assert gcs.names("roadworthy-dev-terraform") == ["platform/default.tfstate"], "the lock must be gone"

        applied = attached(
            infra, "terraform", f"-chdir={infra}/envs/dev", "apply", "-input=false", "dev.tfplan", **cloud
        )
        assert applied.returncode == 0, applied.stderr
        state = json.loads(gcs.read("roadworthy-dev-terraform", "platform/default.tfstate"))
        assert len(state["resources"]) > 40

        again = attached(infra, infra / "plan.sh", "dev", **cloud)
        assert "No changes." in again.stdout, again.stdout

        roadworthy = Path(sys.executable).with_name("roadworthy")
        line = [roadworthy, "cloud", "init", config, "--from-terraform", infra / "envs/dev", "--json"]
        done = attached(infra, *line, **cloud)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["changed"] is True

    written = load_config(config).cloud
    assert written.service_account == "roadworthy-pipeline@roadworthy-dev.iam.gserviceaccount.com"
    assert written.image == "europe-west4-docker.pkg.dev/roadworthy-dev/roadworthy/pipeline:v0.1.0"
    assert "--no_use_public_ips" in written.beam.options


def on_google():
    """Whether a machine gets credentials from its metadata server, as those of Google do."""
    try:
        return bool(socket.gethostbyname("metadata.google.internal"))
    except OSError:
        return False


@pytest.fixture
def infra(tmp_path):
    """A copy in which Terraform may write."""
    copy = tmp_path / "infra"
    return shutil.copytree(ROOT / "infra", copy, ignore=shutil.ignore_patterns("check", ".terraform", "*.tfplan"))


@pytest.mark.skipif(on_google(), reason="there are always credentials here")
def test_without_credentials_the_way_to_them_is_told(tmp_path, infra, attached):
    nobody = {"HOME": str(tmp_path), "CLOUDSDK_CONFIG": str(tmp_path), "GOOGLE_APPLICATION_CREDENTIALS": ""}
    done = attached(infra, infra / "plan.sh", "dev", **nobody)

    assert done.returncode == 2
    assert "Credentials for Google Cloud must be there. Received: none." in done.stderr
    assert done.stderr.rstrip().endswith("gcloud auth application-default login")


def test_without_the_bucket_of_the_state_the_bootstrap_is_told(tmp_path, infra, attached):
    with gcs_server(tmp_path, "another-bucket") as gcs:
        cloud = {"STORAGE_EMULATOR_HOST": gcs.url, "GOOGLE_OAUTH_ACCESS_TOKEN": "a-token-of-the-test"}
        done = attached(infra, infra / "plan.sh", "dev", **cloud)

    assert done.returncode == 2, done.stderr
    assert "The bucket that infra/envs/dev/backend.tf names must be there." in done.stderr


@pytest.mark.parametrize("given", ["", "production", ".", "../modules/kms", "dev prod"])
def test_an_environment_that_is_not_there_is_the_users_fault(given):
    done = subprocess.run([ROOT / "infra/plan.sh", given], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert f"ENV must be one of: dev prod staging. Received: {given or 'none'}." in done.stderr
