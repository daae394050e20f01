"""make browser on machines that have a browser, may install one, or may not; what installs are stand-ins."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def machine(tmp_path):
    """Runs the script with these programs alone on its PATH; returns exit code, words and what was installed."""
    installed = tmp_path / "installed"

    def run(*programs, user):
        for name in ("bash", "env"):
            (tmp_path / name).symlink_to(shutil.which(name))
        scripts = {
            "id": f"echo {user}",
            "apt-get": f'[ "$1" = update ] || echo "$@" >>{installed}',
            "sudo": 'shift; exec "$@"',
            "true": "exit 0",
        }
        for name in programs:
            (tmp_path / name).write_text(f"#!{shutil.which('bash')}\n{scripts.get(name, 'exit 0')}\n")
            (tmp_path / name).chmod(0o755)
        environment = os.environ | {"PATH": str(tmp_path)}
        done = subprocess.run([ROOT / "infra/browser.sh"], env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr, installed.read_text().split() if installed.exists() else []

    return run


@pytest.mark.parametrize("browser", ["chromium", "chromium-browser", "google-chrome"])
def test_what_is_there_is_not_installed(machine, browser):
    assert machine(browser, "pdftotext", "id", "apt-get", user=0) == (0, "", [])


def test_root_gets_what_is_missing(machine):
    assert machine("id", "apt-get", user=0)[2][-2:] == ["chromium", "poppler-utils"]


def test_who_has_sudo_gets_it_too(machine):
    assert machine("google-chrome", "id", "apt-get", "sudo", "true", user=1000)[2][-1:] == ["poppler-utils"]


def test_who_may_not_is_told_and_goes_on(machine):
    code, said, installed = machine("chromium", "id", "apt-get", user=1000)

    assert (code, installed) == (0, [])
    assert "need poppler-utils. Received: none, and no right" in said
