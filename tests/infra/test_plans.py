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


def another(digit):
    return "0" if digit != "0" else "1"


def changed_there(bucket, _):
    bucket.buckets.put(BUCKET, f"{SUM}.tfplan", PLAN + b" ", {})


def cut_off_there(bucket, _):
    bucket.buckets.put(BUCKET, f"{SUM}.tfplan", PLAN[:-1], {})


def left_here(bucket, file):
    """As a person's own tf-plan leaves one, whatever has become of the one that was kept."""
    bucket.buckets.put(BUCKET, f"{SUM}.tfplan", b"another plan", {})
    file.write_bytes(PLAN)


def kept(bucket, _):
    bucket.buckets.put(BUCKET, f"{SUM}.tfplan", PLAN, {})


def nothing(bucket, _):
    pass


@pytest.mark.parametrize(
    ("tamper", "arguments", "told"),
    [
        (changed_there, ["dev", SUM], "Somebody has changed it."),
        (cut_off_there, ["dev", SUM], "Somebody has changed it."),
        (left_here, ["dev", SUM], "Somebody has changed it."),
        (kept, ["dev", SUM[:-1] + another(SUM[-1])], "Received: none of sum "),
        (kept, ["dev", SUM[:-1]], "PLAN must be the sum that make tf-keep ENV=dev printed."),
        (kept, ["dev", f"{SUM}\n"], "PLAN must be the sum that make tf-keep ENV=dev printed."),
        (kept, ["dev"], "PLAN must be the sum that make tf-keep ENV=dev printed. Received: none."),
        (kept, ["prod", SUM], f"A plan must be in gs://roadworthy-prod-terraform-plans. Received: none of sum {SUM}."),
        (kept, [SUM, "dev"], "ENV must be one of: dev prod staging."),
        (nothing, ["dev", SUM], f"A plan must be in gs://{BUCKET}. Received: none of sum {SUM}."),
    ],
    ids=[
        "a plan that was changed",
        "a plan that was cut off",
        "a plan that lies here already",
        "another sum",
        "a sum that was cut off",
        "a sum and more",
        "no sum",
        "another environment's sum",
        "a sum in the environment's place",
        "apply before keep",
    ],
)
def test_terraform_is_asked_to_apply_nothing(plans, tmp_path, tamper, arguments, told):
    """Terraform itself is a recorder here, so that it would apply whatever it is given."""
    infra, asked = tmp_path / "infra", tmp_path / "asked"
    for script in ("apply.sh", "init.sh"):
        shutil.copy(ROOT / "infra" / script, infra)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    terraform = tmp_path / "bin/terraform"
    terraform.parent.mkdir()
    terraform.write_text(f'#!/bin/sh\necho "$@" >>"{asked}"\n')
    terraform.chmod(0o755)
    with gcs_server(tmp_path, BUCKET, "roadworthy-prod-terraform-plans") as gcs:
        tamper(gcs, plans.file)
        path = f"{terraform.parent}:{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "STORAGE_EMULATOR_HOST": gcs.url}
        command = [infra / "apply.sh", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr
    assert not asked.exists() or " apply " not in asked.read_text()
    assert not list(infra.rglob("*.tfplan"))


def test_what_lies_under_a_plan_s_name_already_is_not_taken_for_it(plans, bucket):
    bucket.buckets.put(BUCKET, f"{SUM}.tfplan", b"another plan", {})
    plans.file.write_bytes(PLAN)

    assert plans("keep", "dev")[0] == 0
    assert plans("fetch", "dev", SUM)[0] == 2
