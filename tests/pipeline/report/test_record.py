import pytest

from contracts.runs import failed, record
from roadworthy.pipeline.report.record import read_record, write_record
from roadworthy.serving.errors import ConfigError

CONFIG = "name: pets\noutput: out\ndata: {path: photos}\n"


def test_a_record_is_read_back_by_folder_by_config_and_by_name(tmp_path):
    path = write_record(record(), tmp_path / "out")
    (tmp_path / "pets.yaml").write_text(CONFIG)

    for run in (path, tmp_path / "out", tmp_path / "pets.yaml"):
        assert read_record(run) == (record(), path)


def test_the_newest_of_several_runs_is_read(tmp_path):
    write_record(record(), tmp_path)
    later = record().model_copy(update={"run_id": "2026-01-03T00:00:00"})
    write_record(later, tmp_path)

    assert read_record(tmp_path)[0] == later


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(ConfigError, match=f"Received: {tmp_path}, with no runs/"):
        read_record(tmp_path)


def test_a_damaged_record_is_named(tmp_path):
    path = write_record(record(), tmp_path)
    path.write_text(path.read_text()[:-100])

    with pytest.raises(ConfigError, match=r"run\.json must be the record of a run"):
        read_record(tmp_path)


def test_a_run_that_failed_is_the_newest_all_the_same(tmp_path):
    write_record(record(), tmp_path)
    write_record(failed(), tmp_path)

    assert read_record(tmp_path)[0] == failed()


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=rf"must exist\. Received: {tmp_path}/nowhere, which does not"):
        read_record(tmp_path / "nowhere")


def test_a_record_of_another_version_is_named_with_its_first_fault(tmp_path):
    path = tmp_path / "run.json"
    path.write_text('{"seconds": 1, "nodes": [], "config": {}}')

    with pytest.raises(ConfigError, match=r"Received: run_id: Field required\.$"):
        read_record(path)


def test_a_file_of_another_kind_is_named(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(b"\x89PNG\r\n\xff")

    with pytest.raises(ConfigError, match=r"photo\.png must be the record of a run"):
        read_record(path)
