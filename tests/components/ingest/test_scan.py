import os
import shutil
from pathlib import Path

import pytest

from roadworthy.components.ingest import scan as scan_module
from roadworthy.components.ingest.scan import scan
from roadworthy.serving.errors import DataError


@pytest.fixture
def folder(tmp_path, write_photos) -> Path:
    return write_photos(tmp_path / "photos", {"flower": 3, "Temple": 2})


def faults(root: Path) -> dict[str, str]:
    return {file.path: file.fault for file in scan(root).files if file.fault}


def test_labels_are_the_sorted_folder_names(folder):
    shutil.copytree(folder / "flower", folder / "châteaux d'été")

    assert scan(folder).labels == ("Temple", "châteaux d'été", "flower")


def test_every_file_has_the_index_of_its_folder(folder):
    found = scan(folder)

    assert [(file.path, found.labels[file.label]) for file in found.files] == [
        ("Temple/0.png", "Temple"),
        ("Temple/1.png", "Temple"),
        ("flower/0.png", "flower"),
        ("flower/1.png", "flower"),
        ("flower/2.png", "flower"),
    ]


def test_hidden_files_and_folders_are_ignored(folder):
    before = scan(folder)
    (folder / ".git").mkdir()
    (folder / "flower" / ".DS_Store").touch()
    (folder / "flower" / ".thumbnails").mkdir()

    assert scan(folder) == before


def test_files_beside_the_class_folders_are_left_alone(folder):
    before = scan(folder)
    (folder / "README.txt").touch()

    assert scan(folder) == before


def test_a_file_is_taken_for_an_image_whatever_its_name(folder):
    (folder / "flower" / "notes.txt").touch()

    assert "flower/notes.txt" in [file.path for file in scan(folder).files]


@pytest.mark.parametrize(
    ("prepare", "received"),
    [
        (shutil.rmtree, "no such folder"),
        (lambda root: (shutil.rmtree(root), root.touch()), "a file"),
        (lambda root: (shutil.rmtree(root), root.mkdir()), "an empty folder"),
        (lambda root: (shutil.rmtree(root), root.mkdir(), (root / "a.png").touch()), "files, no folder"),
        (lambda root: shutil.rmtree(root / "flower"), "one class only, Temple"),
    ],
)
def test_what_is_not_a_folder_of_classes_is_refused_by_name(folder, prepare, received):
    prepare(folder)

    with pytest.raises(DataError, match=f"photos must .*Received: {received}"):
        scan(folder)


@pytest.mark.parametrize("left", [0, 1])
def test_a_class_with_fewer_than_two_images_is_refused_by_name(folder, left):
    for number in range(left, 2):
        (folder / "Temple" / f"{number}.png").unlink()

    with pytest.raises(DataError, match=f"photos/Temple must hold at least 2 images.*Received: {left}"):
        scan(folder)


def test_folders_inside_a_class_are_refused_rather_than_lost(folder):
    (folder / "flower" / "red").mkdir()

    with pytest.raises(DataError, match=r"photos/flower must hold its images directly.*the folder red"):
        scan(folder)


def test_a_class_folder_that_leads_out_of_the_data_is_refused(folder, tmp_path):
    shutil.move(folder / "flower", tmp_path / "elsewhere")
    (folder / "flower").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(DataError, match="photos/flower must not lead out of the data folder"):
        scan(folder)


def test_the_data_folder_itself_may_be_a_link(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)

    assert scan(tmp_path / "link") == scan(folder)


def test_links_out_of_the_data_are_not_followed(folder, tmp_path):
    (tmp_path / "secret.png").write_bytes((folder / "flower" / "0.png").read_bytes())
    (folder / "flower" / "link.png").symlink_to(tmp_path / "secret.png")

    assert faults(folder) == {"flower/link.png": "a link that leads out of the data folder"}


def test_links_within_the_data_are_images(folder):
    (folder / "flower" / "link.png").symlink_to(folder / "flower" / "0.png")

    assert faults(folder) == {}


def test_links_to_nothing_and_in_circles_are_bad(folder):
    (folder / "flower" / "lost.png").symlink_to(folder / "flower" / "gone.png")
    (folder / "flower" / "circle.png").symlink_to(folder / "flower" / "circle.png")

    assert faults(folder) == {"flower/circle.png": "a link to nothing", "flower/lost.png": "a link to nothing"}


def test_a_pipe_is_bad_since_reading_it_would_never_end(folder):
    os.mkfifo(folder / "flower" / "pipe.png")

    assert faults(folder) == {"flower/pipe.png": "not a regular file"}


def test_a_huge_file_is_bad_and_not_read(folder, monkeypatch):
    monkeypatch.setattr(scan_module, "MAX_FILE_BYTES", 1_000_000)
    with (folder / "flower" / "huge.png").open("wb") as file:
        file.truncate(1_000_001)

    assert faults(folder) == {"flower/huge.png": "1,000,001 bytes, more than the 1,000,000 allowed"}


def test_a_name_that_is_not_utf8_is_bad(folder):
    Path(os.fsdecode(os.fsencode(folder / "flower") + b"/\xff.png")).touch()

    assert list(faults(folder).values()) == ["its name is not UTF-8"]


def test_the_fingerprint_stays_when_nothing_changed(folder):
    assert scan(folder).fingerprint() == scan(folder).fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "flower" / "0.png").rename(root / "Temple" / "9.png"),
        lambda root: shutil.copy(root / "flower" / "0.png", root / "flower" / "9.png"),
        lambda root: (root / "flower" / "0.png").unlink(),
        lambda root: (root / "flower" / "0.png").rename(root / "flower" / "00.png"),
        lambda root: os.utime(root / "flower" / "0.png", ns=(0, 1)),
        lambda root: (root / "flower").rename(root / "petals"),
    ],
    ids=["moved to another class", "added", "removed", "renamed", "touched", "class renamed"],
)
def test_the_fingerprint_tells_every_change(folder, change):
    before = scan(folder).fingerprint()
    change(folder)

    assert scan(folder).fingerprint() != before
