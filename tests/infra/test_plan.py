"""`make tf-plan` with a real Terraform and its real GCS backend, against the provider's schema and a local bucket."""

import json
import shutil
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
    assert written.image == "europe-west4-docker.pkg.dev/roadworthy-dev/roadworthy/pipeline:0.1.0"
    assert "--no_use_public_ips" in written.beam.options


@pytest.mark.parametrize("given", ["", "production"])
def test_an_environment_that_is_not_there_is_the_users_fault(given):
    done = subprocess.run([ROOT / "infra/plan.sh", given], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert f"ENV must be one of: dev prod staging. Received: {given or 'none'}." in done.stderr
