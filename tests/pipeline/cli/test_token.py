"""`roadworthy token`, as a script and a person use it."""

import json

import pytest
from click.testing import CliRunner

from roadworthy.pipeline.cli.main import cli
from roadworthy.serving.server.tokens import Tokens


def run(*arguments):
    return CliRunner().invoke(cli, ["token", *arguments])


def test_stdout_is_the_token_alone_and_the_line_lets_it_in(tmp_path):
    done = run("--name", "ci", "--models", "fashion* small", "--models", "other", "--metrics")
    (line,) = [line for line in done.stderr.splitlines() if " ci " in line]
    (tmp_path / "tokens").write_text(line)
    (tmp_path / "tokens").chmod(0o600)

    caller = Tokens(tmp_path / "tokens").caller(f"Bearer {done.stdout.strip()}")
    assert (caller.name, caller.models, caller.scopes) == ("ci", ("fashion*", "small", "other"), {"@metrics"})


def test_json_has_both():
    document = json.loads(run("--name", "ops", "--admin", "--json").stdout)

    assert document["line"].endswith(" ops @admin")
    assert document["token"].startswith("rw_")


@pytest.mark.parametrize("arguments", [[], ["--name", "ci"], ["--name", "a b", "--models", "*"]])
def test_a_token_for_nothing_or_nobody_is_refused(arguments):
    assert run(*arguments).exit_code != 0
