import json

from click.testing import CliRunner

from contracts.runs import failed, record, refused
from roadworthy.pipeline.cli.report import report
from roadworthy.pipeline.report.record import write_record
from roadworthy.serving.errors import ConfigError


def told(*words):
    return CliRunner().invoke(report, [str(word) for word in words])


def test_the_page_lies_beside_the_record(tmp_path):
    source = write_record(record(), tmp_path)
    done = told(tmp_path)
    assert done.output.strip() == str(source.with_name("report.html"))
    assert source.with_name("report.html").read_text().startswith("<!doctype html>")


def test_json_says_what_was_chosen_or_what_failed(tmp_path):
    chosen = []
    for number, run in enumerate((record(), refused(), failed())):
        write_record(run, tmp_path / str(number))
        found = json.loads(told(tmp_path / str(number), "--json").output)
        chosen.append((found["chosen"], bool(found["failed"])))
    assert chosen == [("int8", False), (None, False), (None, True)]


def test_where_the_page_cannot_be_written_is_named_and_nothing_is_left(tmp_path):
    write_record(record(), tmp_path / "run")
    (tmp_path / "taken").mkdir()
    done = told(tmp_path / "run", "--out", tmp_path / "taken")
    assert isinstance(done.exception, ConfigError)
    assert "--out must be a file this user can write" in str(done.exception)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "taken"]
