"""What docs/guide/asking.md shows is run, as it stands, against a real server."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.lengths import picture, write_lengths
from roadworthy.serving.client import errors
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.run import ModelServer

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "guide" / "asking.md").read_text()
SNIPPETS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
# The one to another machine has nobody to ask here; tests/docs/test_docs.py parses it.
COMMANDS = [line for line in PAGE.splitlines() if "roadworthy predict --server localhost" in line]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Runs a text of the guide as a process, beside a few files and a server."""
    folder = tmp_path_factory.mktemp("asking")
    write_lengths(folder / "served" / "fashion" / "1")
    (folder / "photos" / "deep").mkdir(parents=True)
    for name in ("boot.png", "shirt.png", "photos/coat.png", "photos/deep/bag.png"):
        (folder / name).write_bytes(picture(100 + len(name)))
    with ModelServer(Manager.of_root(folder / "served")) as server:

        def run(text):
            text = text.replace("localhost:8500", f"localhost:{server.grpc_port}")
            text = text.replace("localhost:8501", f"localhost:{server.rest_port}")
            return text, folder

        yield run


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_a_snippet_runs(here, snippet):
    text, folder = here(snippet)
    done = subprocess.run(
        [sys.executable, "-W", "error::SyntaxWarning", "-c", text],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_runs(here, line):
    text, folder = here(line)
    program = f"{shlex.quote(sys.executable)} -m roadworthy.pipeline.cli.main "
    done = subprocess.run(
        ["bash", "-c", text.replace("roadworthy ", program, 1)],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")


def test_the_tree_of_errors_is_the_one_in_the_code():
    tree = re.search(r"^AskError .*?^└── .*?$", errors.__doc__, re.MULTILINE | re.DOTALL)[0]

    assert tree in PAGE
