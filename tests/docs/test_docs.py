"""Commands and configs in the docs are real ones."""

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from roadworthy.pipeline.cli.main import cli
from roadworthy.pipeline.config import load_config
from roadworthy.serving.server.main import parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)\)")


def blocks(kind: str) -> list[tuple[str, str]]:
    return [(page.name, body) for page in PAGES for tag, body in BLOCK.findall(page.read_text()) if tag == kind]


def commands(program: str) -> list[str]:
    lines = [line.split("#")[0].strip() for _, body in blocks("sh") for line in body.splitlines()]
    return sorted({line for line in lines if line.startswith(f"{program} ")})


@pytest.mark.parametrize("line", commands("roadworthy"))
def test_a_command_in_the_docs_is_understood(line):
    _, name, *arguments = shlex.split(line)
    command = cli.get_command(click.Context(cli), name)
    if isinstance(command, click.Group):
        name, *arguments = arguments
        command = command.get_command(click.Context(command), name)

    with command.make_context(name, arguments) as context:
        assert context.params


@pytest.mark.parametrize("line", commands("roadworthy-model-server"))
def test_a_command_line_of_the_server_in_the_docs_is_understood(line):
    assert parser().parse_args(shlex.split(line)[1:])


@pytest.mark.parametrize("target", sorted({line.split()[1] for line in commands("make")}))
def test_a_make_target_in_the_docs_exists(target):
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("page", "body"), blocks("yaml"))
def test_a_config_in_the_docs_is_valid(tmp_path, page, body):
    path = tmp_path / f"{page}.yaml"
    path.write_text(body)

    assert load_config(path).name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]

    assert broken == []
