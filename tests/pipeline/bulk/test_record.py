import csv
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.pipeline.bulk.ask import Answer
from roadworthy.pipeline.bulk.record import FORMATS, Done, Format, Part
from roadworthy.serving.errors import ConfigError

BOOT = Answer("boot.png", {"label": "boot", "score": 0.5})
BROKEN = Answer("broken.png", error="no image")
NAMES = st.binary(min_size=1, max_size=12).map(os.fsdecode)


def parts(folder):
    return [path for path in folder.iterdir() if path.suffix == ".part"]


def test_json_lines_hold_what_was_answered(tmp_path):
    with Part(tmp_path / "out.jsonl", Format("json", is_classifier=True), question="q") as part:
        part.write(BOOT)
        part.write(BROKEN)
        assert not (tmp_path / "out.jsonl").exists()
        part.finish()

    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert lines == [
        {"file": "boot.png", "label": "boot", "score": 0.5},
        {"file": "broken.png", "error": "no image"},
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("is_classifier", [True, False])
def test_an_interrupted_file_is_taken_up_without_its_errors_and_its_torn_line(tmp_path, kind, is_classifier):
    form = Format(kind, is_classifier=is_classifier)
    answer = BOOT if is_classifier else Answer("boot.png", {"outputs": {"y": [1.0, "two"]}})
    with Part(tmp_path / "out", form, question="q") as part:
        part.write(BROKEN)
        part.write(answer)
    (left,) = parts(tmp_path)
    with left.open("a") as torn:
        torn.write(form.line(Answer("coat.png", answer.fields))[:-3])

    with Part(tmp_path / "out", form, question="q") as part:
        assert len(part.done) == 1
        assert "boot.png" in part.done
        assert "broken.png" not in part.done
        part.write(BROKEN)
        part.finish()

    assert (tmp_path / "out").read_text() == form.header + form.line(answer) + form.line(BROKEN)


def test_another_question_starts_anew(tmp_path):
    form = Format("csv", is_classifier=True)
    with Part(tmp_path / "out.csv", form, question=["a", 1]) as part:
        part.write(BOOT)
    with Part(tmp_path / "out.csv", form, question=["a", 2]) as part:
        assert len(part.done) == 0


def test_nothing_written_leaves_nothing(tmp_path):
    with Part(tmp_path / "out.csv", Format("csv", is_classifier=True), question="q"):
        pass

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="--out must be a file this user can write"):
        Part(tmp_path / "absent" / "out.csv", Format("csv", is_classifier=True), question="q")


@settings(max_examples=30)
@given(names=st.lists(NAMES, unique=True))
@pytest.mark.parametrize("kind", FORMATS)
def test_any_name_reads_back(tmp_path_factory, kind, names):
    folder = tmp_path_factory.mktemp("names")
    form = Format(kind, is_classifier=True)
    with Part(folder / "out", form, question="q") as part:
        for name in names:
            part.write(Answer(name, BOOT.fields))
    with Part(folder / "out", form, question="q") as part:
        assert len(part.done) == len(names)
        assert all(name in part.done for name in names)


def test_csv_is_what_a_spreadsheet_reads(tmp_path):
    form = Format("csv", is_classifier=True)
    rows = list(csv.DictReader([form.header, form.line(Answer('a "b", c.png', {"label": "boot", "score": 0.25}))]))

    assert rows == [{"file": 'a "b", c.png', "label": "boot", "score": "0.25", "error": ""}]


def test_a_million_names_are_eight_megabytes():
    done = Done(f"{number}.png" for number in range(10_000))

    assert done._digests.nbytes == 80_000
    assert "77.png" in done
    assert "10000.png" not in done
