import os
import subprocess
import sys

import pytest

from roadworthy.pipeline.cli.console import libraries_to, without_chatter
from roadworthy.serving.errors import ConfigError

PROGRAM = """
import os, sys
from pathlib import Path
from roadworthy.pipeline.cli.console import libraries_to
with libraries_to(Path(sys.argv[1]), machine_stdout=sys.argv[2] == "machine") as terminal:
    print("a node", file=terminal)
    os.write(2, b"chatter of a library\\n")
    print("a progress bar")
print("the end")
"""


def run(log, mode):
    done = subprocess.run([sys.executable, "-c", PROGRAM, log, mode], capture_output=True, text=True, check=True)
    return done.stdout.splitlines(), done.stderr.splitlines()


def test_chatter_goes_to_the_log_and_our_lines_to_the_terminal(tmp_path):
    stdout, stderr = run(tmp_path / "logs" / "run.log", "people")

    assert sorted(stdout) == ["a node", "a progress bar", "the end"]
    assert stderr == []
    assert (tmp_path / "logs" / "run.log").read_text() == "chatter of a library\n"


def test_for_machines_stdout_stays_empty_until_the_end(tmp_path):
    stdout, stderr = run(tmp_path / "run.log", "machine")

    assert stdout == ["the end"]
    assert sorted(stderr) == ["a node", "a progress bar"]


def test_descriptors_come_back_after_an_error(tmp_path):
    open_before = len(os.listdir("/proc/self/fd"))

    with pytest.raises(KeyError), libraries_to(tmp_path / "run.log", machine_stdout=True):
        raise KeyError

    assert len(os.listdir("/proc/self/fd")) == open_before


@pytest.mark.parametrize(("fault", "shown"), [(ConfigError, ""), (KeyError, "chatter\n")])
def test_chatter_is_shown_after_a_fault_that_is_not_the_users(capfd, fault, shown):
    def fail():
        with without_chatter():
            os.write(2, b"chatter\n")
            raise fault("x")

    with without_chatter():
        os.write(2, b"of what went well\n")
    with pytest.raises(fault):
        fail()

    assert capfd.readouterr().err == shown
