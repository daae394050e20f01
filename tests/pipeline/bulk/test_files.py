import io
import os
import tracemalloc

import pytest

from roadworthy.pipeline.bulk.files import IMAGE_SUFFIXES, check_words, find_files
from roadworthy.serving.errors import DataError

NOTHING = io.StringIO()


@pytest.fixture
def photos(tmp_path):
    for name in ("a.png", "b.JPG", "notes.txt", ".hidden.png", "deep/er/c.jpeg", ".git/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    os.symlink(tmp_path, tmp_path / "deep" / "loop")
    return tmp_path


def names(found, folder):
    return sorted(os.path.relpath(path, folder) for path in found)


def test_a_folder_gives_the_images_below_it_once(photos):
    found = find_files([str(photos)], stdin=NOTHING, suffixes=IMAGE_SUFFIXES)

    assert names(found, photos) == ["a.png", "b.JPG", "deep/er/c.jpeg"]


def test_without_suffixes_a_folder_gives_all_but_the_hidden(photos):
    assert "notes.txt" in names(find_files([str(photos)], stdin=NOTHING), photos)


def test_a_pattern_gives_what_fits_it(photos):
    assert names(find_files([f"{photos}/deep/*/*.jpeg"], stdin=NOTHING), photos) == ["deep/er/c.jpeg"]


def test_a_file_with_the_signs_of_a_pattern_in_its_name_is_itself(tmp_path):
    (tmp_path / "boot[1].png").touch()

    assert list(find_files([f"{tmp_path}/boot[1].png"], stdin=NOTHING)) == [f"{tmp_path}/boot[1].png"]


def test_a_dash_is_a_list_on_stdin():
    assert list(find_files(["-"], stdin=io.StringIO("a b.png\n\n  c.png\r\n"))) == ["a b.png", "  c.png"]


@pytest.mark.parametrize("word", ["absent.png", "absent/*.png", ""])
def test_a_word_that_names_nothing_is_refused(tmp_path, monkeypatch, word):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="must be a readable image file, a folder or a pattern"):
        check_words([".", "-", word])


def test_a_large_folder_needs_no_memory(tmp_path):
    for number in range(3_000):
        (tmp_path / f"{number:06}.png").touch()
    tracemalloc.start()
    count = sum(1 for _ in find_files([str(tmp_path)], stdin=NOTHING, suffixes=IMAGE_SUFFIXES))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 3_000
    assert peak < 60_000  # a list of the paths alone would be 400 kB
