"""The listing of a bucket, by Beam, on folders of this machine, which Beam lists by the same call."""

import pytest

from roadworthy.components.ingest.bucket import folder_of, read_image, scan_bucket
from roadworthy.components.ingest.scan import scan
from roadworthy.serving.errors import DataError


def test_a_listing_finds_what_a_scan_of_the_folder_finds(tmp_path, write_photos):
    root = write_photos(tmp_path / "photos", {"temple": 3, "flower": 2})
    (root / ".hidden").mkdir()
    (root / ".hidden" / "x.png").touch()
    (root / "temple" / ".x").touch()
    (root / "readme.txt").touch()

    listed, scanned = scan_bucket(f"{root}/"), scan(root)

    assert listed.labels == scanned.labels == ("flower", "temple")
    assert [(file.path, file.label, file.size_bytes) for file in listed.files] == [
        (file.path, file.label, file.size_bytes) for file in scanned.files
    ]
    assert read_image(str(root), "temple/0.png") == (root / "temple" / "0.png").read_bytes()


def test_a_changed_file_changes_the_fingerprint(tmp_path, write_photos):
    root = write_photos(tmp_path / "photos", {"temple": 2, "flower": 2})
    before = scan_bucket(str(root)).fingerprint()

    assert scan_bucket(str(root)).fingerprint() == before
    (root / "flower" / "0.png").write_bytes(b"other")
    assert scan_bucket(str(root)).fingerprint() != before


@pytest.mark.parametrize(
    ("classes", "said"),
    [({}, "no folder with a file in it"), ({"temple": 2}, "one class only, temple"), ({"a": 2, "b": 1}, "Received: 1")],
)
def test_a_folder_that_can_not_be_learnt_from_is_refused(tmp_path, write_photos, classes, said):
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match=said):
        scan_bucket(str(write_photos(tmp_path / "photos", classes)))


def test_images_must_lie_in_the_class_folder_itself(tmp_path, write_photos):
    root = write_photos(tmp_path / "photos", {"temple": 2, "flower": 2})
    (root / "temple" / "more").mkdir()
    (root / "temple" / "more" / "x.png").touch()

    with pytest.raises(DataError, match="Received: the folder more"):
        scan_bucket(str(root))


def test_a_pattern_of_a_dot_is_the_folder_itself():
    assert folder_of("gs://b/photos", ".") == "gs://b/photos"
    assert folder_of("gs://b/photos", "day-3") == "gs://b/photos/day-3"
