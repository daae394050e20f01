import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from roadworthy.pipeline.datasets.image_folder import (
    first_of_each_class,
    is_complete,
    marker_of,
    write_image_folder,
)
from roadworthy.serving.errors import DataError

CLASSES = tuple(f"digit-{digit}" for digit in range(10))
PIXELS = (load_digits().images * 15).astype(np.uint8)
LABELS = load_digits().target.astype(np.uint8)
MADE = {"dataset": "digits", "images": 20}


def write(out: Path, made: dict = MADE, *, per_class: int = 2) -> None:
    chosen = first_of_each_class(LABELS, per_class)
    write_image_folder(PIXELS, LABELS, chosen=chosen, classes=CLASSES, out=out, made=made)


def test_every_image_is_written_without_loss_to_its_class(tmp_path):
    write(tmp_path / "digits")

    for path in (tmp_path / "digits").glob("*/*.png"):
        assert path.parent.name == CLASSES[LABELS[int(path.stem)]]
        assert np.array_equal(np.asarray(Image.open(path)), PIXELS[int(path.stem)])


def test_the_first_of_each_class_are_chosen():
    chosen = first_of_each_class(np.array([1, 0, 1, 1, 0, 0]), 2)

    assert chosen == [0, 1, 2, 4]


def test_all_are_chosen_when_no_number_is_given():
    assert first_of_each_class(LABELS, None) == list(range(len(LABELS)))


def test_a_folder_is_complete_for_the_same_wish_only(tmp_path):
    write(tmp_path / "digits")

    assert is_complete(tmp_path / "digits", MADE)
    assert not is_complete(tmp_path / "digits", {**MADE, "dataset": "letters"})


@pytest.mark.parametrize(
    "damage",
    [
        lambda out: next(out.glob("*/*.png")).unlink(),
        lambda out: marker_of(out).unlink(),
        lambda out: marker_of(out).write_text("{"),
        lambda out: marker_of(out).write_text(json.dumps({**MADE, "complete": False})),
    ],
    ids=["image gone", "marker gone", "marker damaged", "replaced halfway"],
)
def test_a_damaged_folder_is_not_complete(tmp_path, damage):
    write(tmp_path / "digits")
    damage(tmp_path / "digits")

    assert not is_complete(tmp_path / "digits", MADE)


def test_another_wish_replaces_the_folder(tmp_path):
    write(tmp_path / "digits", per_class=3)
    write(tmp_path / "digits", per_class=2)

    assert len(list((tmp_path / "digits").glob("*/*.png"))) == 20


def test_nothing_is_left_when_writing_fails(tmp_path):
    with pytest.raises(IndexError):
        write_image_folder(PIXELS, LABELS, chosen=[0, len(PIXELS)], classes=CLASSES, out=tmp_path / "digits", made=MADE)

    assert list(tmp_path.iterdir()) == []


def test_the_old_folder_stays_when_writing_fails(tmp_path):
    write(tmp_path / "digits")
    with pytest.raises(IndexError):
        write_image_folder(PIXELS, LABELS, chosen=[len(PIXELS)], classes=CLASSES, out=tmp_path / "digits", made={})

    assert is_complete(tmp_path / "digits", MADE)


def test_what_a_killed_run_left_is_cleared(tmp_path):
    (tmp_path / ".digits-abc").mkdir()
    write(tmp_path / "digits")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits", "digits.json"]


def test_files_of_someone_else_are_not_replaced(tmp_path):
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "thesis.doc").touch()

    with pytest.raises(DataError, match=r"digits must be empty or an earlier download"):
        write(tmp_path / "digits")
    assert (tmp_path / "digits" / "thesis.doc").exists()


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(DataError, match=r"file/digits must be a folder this user can write"):
        write(tmp_path / "file" / "digits")
