"""checkov tells a mistake in each kind of file that it looks at, and a skip must say why."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MISTAKES = {
    "CKV_GCP_114": ("infra/modules/storage/main.tf", '= "enforced"', '= "inherited"'),
    "CKV_DOCKER_3": ("infra/docker/tf-serving.Dockerfile", "USER 10001:10001\n", ""),
    "CKV_K8S_20": ("infra/kubernetes/base/serving/deployment.yaml", "Escalation: false", "Escalation: true"),
    "CKV2_GHA_1": (".github/workflows/promote.yml", "permissions: {contents: read}", "permissions: write-all"),
    # Rules of our own, in infra/check/rules.
    "CKV2_ROADWORTHY_1": (
        "infra/modules/identity/main.tf",
        'resource "google_service_account" "this" {',
        'resource "google_service_account_key" "this" {\n  service_account_id = "ci"\n}\n\n'
        'resource "google_service_account" "this" {',
    ),
    "CKV2_ROADWORTHY_2": (
        "infra/modules/identity/main.tf",
        'resource "google_project_iam_member" "roles" {',
        'resource "google_project_iam_binding" "roles" {',
    ),
    "CKV2_ROADWORTHY_3": ("infra/modules/network/main.tf", "  deny {", "  allow {"),
    "CKV2_ROADWORTHY_4": ("infra/modules/gke/pools.tf", 'dynamic "taint" {', 'dynamic "effective_taints" {'),
    # The rule itself is then skipped: what is told is the skip.
    "every skip must give its reason": (
        "infra/modules/registry/main.tf",
        'resource "google_artifact_registry_repository" "this" {\n',
        'resource "google_artifact_registry_repository" "this" {\n  #checkov:skip=CKV_GCP_84\n',
    ),
}


@pytest.fixture(scope="module")
def said(tools, tmp_path_factory):
    """What infra/check/policies.sh says of a copy with all of the mistakes, and its exit code."""
    copy = tmp_path_factory.mktemp("policies")
    shutil.copytree(ROOT / "infra", copy / "infra", ignore=shutil.ignore_patterns(".terraform", "locks"))
    shutil.copytree(ROOT / ".github", copy / ".github")
    for part in ("envs", "examples", "platform"):  # what is not planted in only takes time
        shutil.rmtree(copy / "infra" / part)
        (copy / "infra" / part).mkdir()
    (copy / ".cache").mkdir()
    (copy / ".cache/check").symlink_to(ROOT / ".cache/check")
    for name, before, after in MISTAKES.values():
        text = (copy / name).read_text()
        assert before in text
        (copy / name).write_text(text.replace(before, after, 1))
    done = subprocess.run([copy / "infra/check/policies.sh"], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr, done.returncode


@pytest.mark.parametrize("told", MISTAKES)
def test_a_planted_mistake_is_told(said, told):
    text, code = said

    assert code == 1
    assert told in text
