"""Workflows call make, hold few rights, and pin what they use; mistakes in them are told."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github/workflows"
WORKFLOWS = {file.stem: yaml.safe_load(file.read_text()) for file in sorted(FOLDER.glob("*.yml"))}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
STEPS = [
    (name, step)
    for name, workflow in WORKFLOWS.items()
    for job in workflow["jobs"].values()
    for step in job.get("steps", [])
]


def test_there_is_one_for_each_purpose():
    assert list(WORKFLOWS) == ["check", "images", "promote", "release", "retrain", "terraform"]


@pytest.mark.parametrize(("name", "step"), [(name, step) for name, step in STEPS if "run" in step])
def test_a_step_calls_a_make_target_that_exists(name, step):
    words = step["run"].split()

    assert (words[0], words[1] in TARGETS) == ("make", True)
    assert not re.search(r"[;&|<>`\n]|\$\(", step["run"])


@pytest.mark.parametrize(("name", "step"), [(name, step) for name, step in STEPS if "uses" in step])
def test_an_action_is_pinned_by_its_commit(name, step):
    assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_only_read_and_a_job_says_what_else_it_needs(name):
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}
    rights = {
        right
        for job in WORKFLOWS[name]["jobs"].values()
        for right, how in job.get("permissions", {}).items()
        if how == "write"
    }
    assert rights <= ({"id-token", "contents"} if name == "release" else {"id-token"})


def test_no_workflow_holds_a_key():
    text = "".join(file.read_text() for file in FOLDER.glob("*.yml"))

    assert "secrets." not in text
    assert "credentials_json" not in text


def test_a_release_goes_to_the_registry_of_every_environment():
    released = json.loads(WORKFLOWS["release"]["jobs"]["images"]["with"]["environments"])
    job = WORKFLOWS["images"]["jobs"]["images"]

    assert sorted(released) == sorted(path.name for path in (ROOT / "infra/envs").iterdir())
    assert (job["environment"], "inputs.environments" in job["strategy"]["matrix"]["env"]) == (
        "images-${{ matrix.env }}",
        True,
    )


def test_what_is_applied_is_what_was_planned():
    jobs = WORKFLOWS["terraform"]["jobs"]
    (kept,) = [step for step in jobs["plan"]["steps"] if "tf-keep" in step.get("run", "")]

    assert kept["if"] == "github.event_name == 'push'"
    for env in jobs["apply"]["strategy"]["matrix"]["env"]:
        assert jobs["plan"]["outputs"][env] == f"${{{{ steps.{kept['id']}.outputs.{env} }}}}"
    (applied,) = [step["run"] for step in jobs["apply"]["steps"] if "run" in step]
    assert applied.endswith("PLAN=${{ needs.plan.outputs[matrix.env] }}")


def test_cloud_build_calls_make_with_targets_that_exist():
    text = (ROOT / "cloudbuild.yaml").read_text()
    build = yaml.safe_load(text)

    assert [step["script"] for step in build["steps"]] == ["exec make $TARGETS"]
    triggers = re.findall(r'_TARGETS=(?:"([^"]+)"|([a-z-]+))', text)
    named = {word for quoted, bare in triggers for word in (quoted or bare).split()}
    called = {step["run"].split()[1] for _, step in STEPS if "run" in step}
    assert set(build["substitutions"]["_TARGETS"].split()) <= named <= TARGETS
    assert named == called, "the same steps as the workflows"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("runs-on: ubuntu-24.04", "runs_on: ubuntu-24.04", "runs_on"),
        ("needs: check", "needs: checks", "checks"),
        ("${{ github.token }}", "${{ github.tokens }}", "tokens"),
        ("id-token: write", "id-token: all", "id-token"),
    ],
)
def test_actionlint_tells_a_planted_mistake(tmp_path, before, after, told):
    folder = tmp_path / ".github" / "workflows"
    shutil.copytree(FOLDER, folder)
    text = (folder / "release.yml").read_text()
    assert before in text
    (folder / "release.yml").write_text(text.replace(before, after, 1))
    command = [ROOT / ".cache/check/bin/actionlint", folder / "release.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert told in done.stdout


@pytest.mark.parametrize(
    "pinned",
    [
        "actions/checkout@v6",
        "actions/checkout@main # v6.0.2",
        "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd",
        "actions/checkout@de0fac2 # v6.0.2",
    ],
)
def test_lint_tells_an_action_that_is_not_pinned(tmp_path, pinned):
    for part in (".github/workflows", "infra/docker", "infra/check"):
        shutil.copytree(ROOT / part, tmp_path / part)
    (tmp_path / ".git").mkdir()  # where actionlint takes a project to begin
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache/check").symlink_to(ROOT / ".cache/check")
    file = tmp_path / ".github/workflows/promote.yml"
    file.write_text(re.sub(r"actions/checkout@.*", pinned, file.read_text()))
    done = subprocess.run([tmp_path / "infra/check/lint.sh"], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert f"uses: {pinned}" in done.stdout
