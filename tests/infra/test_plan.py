"""`make tf-plan` and `tf-apply` with a real Terraform, its GCS backend, the providers' schemas and local buckets."""

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.gcs.server import Fault, gcs_server
from roadworthy.pipeline.config import load_config

ROOT = Path(__file__).parents[2]


STATE, PLANS = "roadworthy-dev-terraform", "roadworthy-dev-terraform-plans"


def checkout(folder):
    """A copy in which Terraform may write, with this environment of Python."""
    folder.mkdir()
    (folder / ".venv").symlink_to(ROOT / ".venv")
    copied = shutil.ignore_patterns("check", ".terraform", "*.hcl", "*.tfplan")
    return shutil.copytree(ROOT / "infra", folder / "infra", ignore=copied)


def test_from_a_plan_that_was_approved_to_a_config(tmp_path, attached):
    infra, elsewhere = checkout(tmp_path / "here"), checkout(tmp_path / "elsewhere")
    config = shutil.copy(ROOT / "examples/fashion.yaml", tmp_path / "fashion.yaml")
    outputs = tmp_path / "outputs"

    with gcs_server(tmp_path, STATE, PLANS) as gcs:
        cloud = {"STORAGE_EMULATOR_HOST": gcs.url, "GOOGLE_OAUTH_ACCESS_TOKEN": "a-token-of-the-test"}
        planned = attached(infra, infra / "plan.sh", "dev", **cloud)
        assert planned.returncode == 0, planned.stderr
        assert "tf-plan: terraform -chdir=infra/envs/dev apply dev.tfplan" in planned.stdout
        assert gcs.names(STATE) == ["platform/default.tfstate"], "the lock must be gone"
        assert (infra / "envs/dev/dev.tfplan").stat().st_mode & 0o777 == 0o600

        kept = attached(infra, sys.executable, infra / "plans.py", "keep", "dev", GITHUB_OUTPUT=str(outputs), **cloud)
        assert kept.returncode == 0, kept.stderr
        total = outputs.read_text().strip().removeprefix("dev=")
        assert gcs.names(PLANS) == [f"{total}.tfplan"]
        assert f"make tf-apply ENV=dev PLAN={total}" in kept.stdout

        applied = attached(elsewhere, elsewhere / "apply.sh", "dev", total, **cloud)
        assert applied.returncode == 0, applied.stderr
        state = json.loads(gcs.read(STATE, "platform/default.tfstate"))
        assert len(state["resources"]) > 40
        assert not list(elsewhere.rglob("*.tfplan"))

        late = attached(elsewhere, elsewhere / "apply.sh", "dev", total, **cloud)
        assert (late.returncode, "Saved plan is stale" in late.stderr) == (1, True), late.stderr

        # Who plans may read the state and not write it.
        gcs.faults.append(Fault("POST", STATE, 403, times=99))
        again = attached(infra, infra / "plan.sh", "dev", **cloud)
        assert "No changes." in again.stdout, again.stdout

        roadworthy = Path(sys.executable).with_name("roadworthy")
        line = [roadworthy, "cloud", "init", config, "--from-terraform", infra / "envs/dev", "--json"]
        done = attached(infra, *line, **cloud)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["changed"] is True

    written = load_config(config).cloud
    accounts = {
        "service": written.service_account,
        "trainer": written.trainer_account,
        "serving": written.serving_account,
    }
    assert accounts == {
        name: f"roadworthy-{role}@roadworthy-dev.iam.gserviceaccount.com"
        for name, role in {"service": "pipeline", "trainer": "trainer", "serving": "serving"}.items()
    }
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
    return checkout(tmp_path / "checkout")


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
