"""Files that are followed."""

import pytest

from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.watched import Watched


@pytest.fixture
def number(tmp_path):
    """A file with a number, and how it is read."""
    path = tmp_path / "number"
    path.write_text("1")

    def read():
        try:
            return int(path.read_text())
        except (OSError, ValueError) as error:
            raise ServeError(f"{path} must be a number.") from error

    return path, read


def test_a_change_is_seen_at_the_next_look_and_no_sooner(number):
    path, read = number
    now, later = Watched([path], read, look_every_s=0), Watched([path], read, look_every_s=60)
    path.write_text("20")

    assert (now(), later()) == (20, 1)


def test_a_file_of_the_same_size_in_its_place_is_a_change(number, tmp_path):
    path, read = number
    watched = Watched([path], read, look_every_s=0)
    (tmp_path / "other").write_text("2")
    (tmp_path / "other").rename(path)

    assert watched() == 2


def test_what_can_not_be_read_leaves_what_there_was_and_is_told_once(number, caplog):
    path, read = number
    watched = Watched([path], read, look_every_s=0)
    for content in ("x", None):
        path.write_text(content) if content else path.unlink()
        assert [watched() for _ in range(3)] == [1, 1, 1]

    assert caplog.text.count("what it said before stays") == 2
    path.write_text("3")
    assert watched() == 3


def test_a_start_without_a_value_is_an_error(number):
    path, read = number
    path.write_text("x")
    with pytest.raises(ServeError):
        Watched([path], read)
