import pytest

from roadworthy.components.data_check.summary import Sides, read_summaries


@pytest.fixture
def statistics_dir(statistics_of, tmp_path):
    for split, labels, settings in (("test", "ab", {"side": 48}), ("train", "aabbb", {})):
        folder = tmp_path / f"Split-{split}"
        folder.mkdir()
        (folder / "FeatureStats.pb").write_bytes(statistics_of(labels, **settings).SerializeToString())
    return tmp_path


def test_images_are_counted_by_split_and_label(statistics_dir):
    train, test = read_summaries(str(statistics_dir))

    assert (train.split, train.images, train.labels) == ("train", 5, {"a": 2, "b": 3})
    assert (test.split, test.images, test.labels) == ("test", 2, {"a": 1, "b": 1})


def test_sides_are_told_in_pixels(statistics_dir):
    train, test = read_summaries(str(statistics_dir))

    assert train.height == Sides(smallest=32, median=32, largest=32)
    assert test.width == Sides(smallest=48, median=48, largest=48)


def test_no_statistics_are_no_splits(tmp_path):
    assert read_summaries(str(tmp_path)) == ()
