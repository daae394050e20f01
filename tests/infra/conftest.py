"""Terraform on copies of the real modules, with the provider's schema served on this machine."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def tools():
    """The environment that infra-check runs in."""
    subprocess.run([ROOT / "infra/check/tools.sh"], check=True)


@pytest.fixture
def check_terraform():
    """infra-check's Terraform part on a folder; returns what it said and its exit code."""

    def check(folder, provider="local"):
        done = subprocess.run(
            [ROOT / "infra/check/terraform.sh", folder],
            env={**os.environ, "ROADWORTHY_PROVIDER": provider},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr, done.returncode

    return check


@pytest.fixture(scope="session")
def attached(tools):
    """Runs a command in which Terraform finds the provider's schema for all that a folder uses."""

    def run(folder, *command, **variables):
        return subprocess.run(
            [ROOT / ".cache/check/bin/python", "-m", "terraform_check.attached", folder, *command],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT / "infra/check")} | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def storage_module(tmp_path):
    """A copy of the module storage, to break."""
    shutil.copytree(ROOT / "infra/modules/storage", tmp_path / "storage")
    return tmp_path / "storage"


@dataclass(frozen=True)
class Recorder:
    """A kubectl that renders, knows the contexts `here` and `there`, and writes down all else it is asked."""

    environment: dict[str, str]
    file: Path

    def asked(self):
        return self.file.read_text().splitlines() if self.file.exists() else []


@pytest.fixture
def recorder(tmp_path):
    kubectl, asked, config = tmp_path / "bin/kubectl", tmp_path / "asked", tmp_path / "kubeconfig"
    kubectl.parent.mkdir()
    real = ROOT / ".cache/check/bin/kubectl"
    own = f'#!/bin/sh\ncase "$1" in kustomize | config) exec {real} "$@" ;; esac\n'
    kubectl.write_text(f'{own}printf "%s\\n" "$*" >>{asked}\n')
    kubectl.chmod(0o755)
    contexts = [{"name": name, "context": {"cluster": name, "user": name}} for name in ("here", "there")]
    config.write_text(json.dumps({"contexts": contexts, "current-context": "here"}))
    path = f"{kubectl.parent}:{os.environ['PATH']}"
    return Recorder({"PATH": path, "KUBECONFIG": str(config), "CONTEXT": ""}, asked)
