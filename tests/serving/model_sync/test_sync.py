"""What is published comes to the disk whole, verified and in one step, or does not come at all."""

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.mean_colour import write_mean_colour
from roadworthy.serving.errors import ServeError
from roadworthy.serving.model_sync.source import FolderSource, source_of
from roadworthy.serving.model_sync.sync import published, sync
from roadworthy.serving.repository import publish, versions


@pytest.fixture
def published_root(tmp_path):
    """A root with three versions of `colour`, as the pusher writes them."""
    root = tmp_path / "published"
    for number in range(3):
        folder = write_mean_colour(tmp_path / f"made-{number}")
        (folder / "note").write_text(str(number))
        publish(folder, model_root=root, name="colour")
    return root


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


def test_the_newest_versions_come_and_nothing_else_is_left(published_root, disk):
    done = sync(FolderSource(published_root), disk, keep=2)

    assert (versions(disk / "colour"), done.fetched, done.failed) == ([2, 3], ["colour/3", "colour/2"], {})
    assert sorted(path.name for path in (disk / "colour").iterdir()) == ["2", "3"]


def test_a_second_round_fetches_nothing(published_root, disk):
    sync(FolderSource(published_root), disk, keep=2)

    done = sync(FolderSource(published_root), disk, keep=2)
    assert (done.fetched, done.removed, done.present) == ([], [], 2)


def test_older_versions_go_once_the_newer_ones_are_there(published_root, disk):
    sync(FolderSource(published_root), disk, keep=3)
    done = sync(FolderSource(published_root), disk, keep=1)

    assert (versions(disk / "colour"), sorted(done.removed)) == ([3], ["colour/1", "colour/2"])


@pytest.mark.parametrize("damage", ["changed", "missing", "extra"])
def test_a_version_that_is_not_what_its_manifest_says_does_not_come_and_the_old_one_stays(published_root, disk, damage):
    shutil.copytree(published_root / "colour" / "1", disk / "colour" / "1")
    newest = published_root / "colour" / "3"
    if damage == "missing":
        (newest / "note").unlink()
    else:
        (newest / ("note" if damage == "changed" else "more")).write_text("damaged")
    done = sync(FolderSource(published_root), disk, keep=1)

    assert (versions(disk / "colour"), list(done.failed)) == ([1], ["colour/3"])
    assert "manifest.json" in done.failed["colour/3"]
    assert [path.name for path in (disk / "colour").iterdir()] == ["1"]


def test_a_version_without_its_manifest_is_still_being_published(published_root, disk):
    (published_root / "colour" / "3" / "manifest.json").unlink()
    sync(FolderSource(published_root), disk, keep=1)

    assert versions(disk / "colour") == [2]


def test_a_source_that_is_empty_takes_nothing_down(published_root, disk):
    sync(FolderSource(published_root), disk, keep=1)
    shutil.rmtree(published_root / "colour")

    assert sync(FolderSource(published_root), disk, keep=1).removed == []
    assert versions(disk / "colour") == [3]


def test_what_a_killed_sync_left_behind_is_cleared_away(published_root, disk):
    (disk / "colour" / ".syncing-dead" / "assets.extra").mkdir(parents=True)
    sync(FolderSource(published_root), disk, keep=1)

    assert [path.name for path in (disk / "colour").iterdir()] == ["3"]


@pytest.mark.parametrize("path", ["../../etc/passwd", "a/../../x", "/etc/passwd", "a//b", "a/./b", "a\\..\\b", ".."])
def test_a_name_that_leads_out_of_its_version_makes_it_none(path):
    assert published(["m/1/manifest.json", f"m/1/{path}", "m/2/manifest.json"]) == {
        "m": {2: frozenset({"m/2/manifest.json"})}
    }


@given(st.lists(st.text(alphabet="m12./\\-\0", max_size=24)))
def test_no_list_of_names_leads_out_of_the_root(names):
    for model, found in published([*names, "m/1/manifest.json"]).items():
        for number, files in found.items():
            for name in files:
                assert name.startswith(f"{model}/")
                assert not {"", ".", ".."} & set(name.split("/")), (number, name)


def test_an_address_of_another_kind_is_refused():
    with pytest.raises(ServeError, match=r"must be gs://BUCKET/PREFIX or a folder\. Received: s3://models"):
        source_of("s3://models")
