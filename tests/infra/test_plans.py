"""Which plans are kept and which are not applied, against a local bucket."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.gcs.server import Fault, gcs_server

ROOT = Path(__file__).parents[2]
BUCKET = "roadworthy-dev-terraform-plans"
PLAN = b"a plan"
SUM = hashlib.sha256(PLAN).hexdigest()


@pytest.fixture
def plans(tmp_path):
    """Runs plans.py of a checkout whose environments are those of this one; returns its exit code and what it said."""
    infra = tmp_path / "infra"
    shutil.copytree(ROOT / "infra/envs", infra / "envs", ignore=shutil.ignore_patterns(".terraform", "*.tfplan"))
    shutil.copy(ROOT / "infra/plans.py", infra)

    def run(*arguments, **environment):
        done = subprocess.run(
            [sys.executable, infra / "plans.py", *arguments],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    run.file = infra / "envs/dev/dev.tfplan"
    return run


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    with gcs_server(tmp_path, BUCKET) as gcs:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.url)
        yield gcs


def test_a_plan_that_is_kept_twice_is_there_once(plans, bucket):
    plans.file.write_bytes(PLAN)

    assert [plans("keep", "dev")[0] for _ in range(2)] == [0, 0]
    assert bucket.names(BUCKET) == [f"{SUM}.tfplan"]
    plans.file.unlink()
    assert plans("fetch", "dev", SUM)[0] == 0
    assert (plans.file.read_bytes(), plans.file.stat().st_mode & 0o777) == (PLAN, 0o600)


def test_a_plan_that_somebody_changed_is_not_applied(plans, bucket):
    bucket.buckets.put(BUCKET, f"{SUM}.tfplan", b"another plan", {})
    code, said = plans("fetch", "dev", SUM)

    assert (code, plans.file.exists()) == (2, False)
    assert "Somebody has changed it." in said


@pytest.mark.parametrize("given", ["", "dev.tfplan", "../" + SUM[3:], SUM.upper()])
def test_what_is_no_sum_is_refused_before_anything_is_asked(plans, given):
    code, said = plans("fetch", "dev", given)

    assert (code, f"Received: {given or 'none'}." in said) == (2, True)


def test_a_plan_that_is_gone_is_made_anew(plans, bucket):
    code, said = plans("fetch", "dev", SUM)

    assert (code, "plan again: make tf-plan tf-keep ENV=dev" in said) == (2, True)


def test_nothing_is_kept_before_it_is_planned(plans):
    assert plans("keep", "dev") == (
        2,
        "plans: dev.tfplan must be there. Received: none.\n  Try: make tf-plan ENV=dev\n",
    )


def test_without_the_bucket_the_bootstrap_is_told(plans, tmp_path):
    plans.file.write_bytes(PLAN)
    with gcs_server(tmp_path, "another-bucket") as gcs:
        code, said = plans("keep", "dev", STORAGE_EMULATOR_HOST=gcs.url)

    assert (code, f"The bucket {BUCKET} must be there." in said) == (2, True)


def test_whom_cloud_storage_refuses_is_told_so(plans, bucket):
    plans.file.write_bytes(PLAN)
    bucket.faults.append(Fault("POST", "/upload/", 403))
    code, said = plans("keep", "dev")

    assert (code, "Received: 403" in said) == (2, True)
