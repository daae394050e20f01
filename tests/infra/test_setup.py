"""infra/setup.sh on machines it can't serve: one message that says what to do, exit code 2, nothing written."""

import importlib.util
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INPUTS = ("infra/setup.sh", "infra/tools.lock", "requirements.lock", "setup.py")
PROGRAMS = ("bash", "cat", "cut", "dirname", "head", "mkdir", "printf", "rm", "sha256sum", "sort", "uname")


@pytest.fixture
def checkout(tmp_path):
    """What setup.sh reads, and a PATH of its own with little on it."""
    for name in INPUTS:
        (tmp_path / "repo" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "repo" / name)
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    for program in PROGRAMS:
        (bin_dir / program).symlink_to(shutil.which(program))
    return tmp_path


def put(checkout: Path, program: str, script: str) -> None:
    path = checkout / "bin" / program
    path.unlink(missing_ok=True)
    path.write_text(f"#!{shutil.which('bash')}\n{script}\n")
    path.chmod(0o755)


def set_up(checkout: Path) -> subprocess.CompletedProcess:
    environment = {"PATH": str(checkout / "bin"), "HOME": str(checkout)}
    script = checkout / "repo" / "infra" / "setup.sh"
    return subprocess.run([script], env=environment, capture_output=True, text=True, timeout=60, check=False)


def python_that_answers(machine: str, *, glibc: str = "2.36") -> str:
    """A python3.11 whose answers to setup.sh's questions are those of another machine."""
    return f"""case "$2" in
*python_implementation*) echo "{machine}" ;;
*_base_executable*) echo "$0" ;;
*confstr*) {f'echo "{glibc}"' if glibc else "exit 1"} ;;
esac"""


@pytest.mark.parametrize(
    ("programs", "message"),
    [
        ({"uname": "echo Linux aarch64"}, "must be Linux on x86_64"),
        ({"uname": "echo Darwin arm64"}, "Received: Darwin arm64"),
        ({}, "CPython 3.11 must be on PATH as python3.11"),
        ({"python3.11": "exit 127"}, "Received: one that does not start"),
        ({"python3.11": python_that_answers("CPython 3.12")}, "needs CPython 3.11. Received: CPython 3.12"),
        ({"python3.11": python_that_answers("PyPy 3.11")}, "Received: PyPy 3.11"),
        ({"python3.11": python_that_answers("CPython 3.11", glibc="")}, "runs on another C library"),
        ({"python3.11": python_that_answers("CPython 3.11")}, "glibc 2.36 is older than the 2.39"),
    ],
)
def test_a_machine_it_cannot_serve_gets_one_message_and_no_files(checkout, programs, message):
    for program, script in programs.items():
        put(checkout, program, script)

    done = set_up(checkout)

    assert done.returncode == 2
    assert message in done.stderr
    assert all(line.startswith("setup: ") for line in done.stderr.splitlines())
    assert not (checkout / "repo" / ".venv").exists()


@pytest.mark.skipif(not (ROOT / ".venv" / ".set-up").exists(), reason="needs an environment made by infra/setup.sh")
def test_a_second_call_does_nothing_and_is_quick():
    before = (ROOT / ".venv" / ".set-up").stat().st_mtime_ns
    started = time.monotonic()

    done = subprocess.run([ROOT / "infra" / "setup.sh"], capture_output=True, text=True, check=True, env=os.environ)

    assert time.monotonic() - started < 2
    assert done.stdout == ""
    assert (ROOT / ".venv" / ".set-up").stat().st_mtime_ns == before


@pytest.mark.skipif(not os.environ.get("PYTHONDONTWRITEBYTECODE"), reason="Python writes byte code by itself")
@pytest.mark.skipif(not (ROOT / ".venv" / ".set-up").exists(), reason="needs an environment made by infra/setup.sh")
@pytest.mark.parametrize("module", ["tensorflow", "tfx", "roadworthy.serving"])
def test_where_python_may_write_no_byte_code_it_is_there_already(module):
    source = importlib.util.find_spec(module).origin

    assert Path(importlib.util.cache_from_source(source)).exists()
