from pathlib import Path

import pytest

from roadworthy.components.ingest.component import ImageFolderExampleGen
from roadworthy.components.ingest.driver import Driver
from roadworthy.components.ingest.executor import data_folder
from roadworthy.serving.errors import DataError

CLASSES = {"flower": 2, "temple": 2}


@pytest.fixture
def days(tmp_path, write_photos) -> Path:
    for day in (2, 9, 10):
        write_photos(tmp_path / f"day-{day}" / "photos", CLASSES)
    return tmp_path


def resolve(path: Path | str, *, span: int | None = None) -> dict:
    component = ImageFolderExampleGen(str(path), span=span)
    return Driver(None).resolve_exec_properties(dict(component.exec_properties), None, None)


def test_the_latest_span_is_ingested(days):
    properties = resolve(days / "day-{SPAN}" / "photos")

    assert (properties["span"], Path(data_folder(properties))) == (10, days / "day-10" / "photos")


def test_a_span_can_be_asked_for(days):
    properties = resolve(days / "day-{SPAN}" / "photos", span=9)

    assert (properties["span"], Path(data_folder(properties))) == (9, days / "day-9" / "photos")


def test_a_span_that_is_not_there_is_refused(days):
    with pytest.raises(DataError, match=r"day-{SPAN}/photos must match folders"):
        resolve(days / "day-{SPAN}" / "photos", span=3)


def test_folders_without_a_number_are_refused(days):
    (days / "day-off" / "photos").mkdir(parents=True)

    with pytest.raises(DataError, match=r"must match folders with a number for {SPAN}"):
        resolve(days / "day-{SPAN}" / "photos")


def test_dates_are_spans(tmp_path, write_photos):
    for day in ("2024-02-28", "2024-03-01"):
        write_photos(tmp_path / day, CLASSES)

    assert Path(data_folder(resolve(tmp_path / "{YYYY}-{MM}-{DD}"))) == tmp_path / "2024-03-01"


def test_a_path_without_a_placeholder_is_the_folder_itself(days):
    properties = resolve(days / "day-2" / "photos")

    assert (properties["span"], Path(data_folder(properties))) == (0, days / "day-2" / "photos")


@pytest.mark.parametrize("odd", ["photos [old]", "photos *", "a {b} c", "été 1"])
def test_odd_letters_in_a_path_are_no_patterns(tmp_path, write_photos, odd):
    write_photos(tmp_path / odd, CLASSES)

    assert Path(data_folder(resolve(tmp_path / odd))) == tmp_path / odd


def test_a_new_file_changes_what_the_cache_key_is_made_of(days):
    path = days / "day-2" / "photos"
    before = resolve(path)
    (path / "flower" / "new.png").touch()

    assert resolve(path)["input_fingerprint"] != before["input_fingerprint"]


def test_an_unchanged_folder_gives_the_same_properties(days):
    assert resolve(days / "day-2" / "photos") == resolve(days / "day-2" / "photos")


def test_a_folder_that_is_no_dataset_is_refused_before_the_executor_runs(tmp_path):
    with pytest.raises(DataError, match="must hold one folder of images a class"):
        resolve(tmp_path)
