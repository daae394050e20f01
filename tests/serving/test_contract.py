import json

import pytest

from roadworthy.serving.contract import CARD_PATH, ModelCard
from roadworthy.serving.errors import ServeError

WHOLE = {"labels": ["a", "b"], "image_height": 8, "image_width": 9}


def read(folder, written):
    (folder / CARD_PATH).parent.mkdir(exist_ok=True)
    (folder / CARD_PATH).write_text(written if isinstance(written, str) else json.dumps(written))
    return ModelCard.read(folder)


def test_a_card_comes_back_as_it_was_written(tmp_path):
    card = ModelCard(labels=("straße", "b"), image_height=8, image_width=9, image_channels=1, variant="int8")
    card.write(tmp_path)
    assert ModelCard.read(tmp_path) == card


def test_what_a_file_leaves_out_is_a_parent_in_colour(tmp_path):
    assert read(tmp_path, WHOLE) == ModelCard(labels=("a", "b"), image_height=8, image_width=9)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"labels": ["a"]}, r"labels must be two strings or more, not \('a',\)"),
        ({"labels": "ab"}, "labels must be two strings or more, not 'ab'"),
        ({"labels": [1, 2]}, "labels must be two strings or more"),
        ({"image_height": 0}, "image_height must be a whole number above zero, not 0"),
        ({"image_width": True}, "image_width must be a whole number above zero, not True"),
        ({"image_width": 8.0}, "image_width must be a whole number above zero, not 8.0"),
        ({"image_channels": 2}, "image_channels must be 1 or 3, not 2"),
        ({"variant": None}, "variant must be a string, not None"),
        ({"colour": "red"}, "'colour'"),
    ],
)
def test_a_file_that_is_no_card_is_named_with_what_is_wrong(tmp_path, change, told):
    with pytest.raises(ServeError, match=f"(?s){CARD_PATH} must be a model card.*{told}"):
        read(tmp_path, {**WHOLE, **change})


@pytest.mark.parametrize("written", ["", "{", "[]", "7", '{"labels": ["a", "b"]}'])
def test_other_files_are_no_cards(tmp_path, written):
    with pytest.raises(ServeError, match="must be a model card written by Roadworthy"):
        read(tmp_path, written)


def test_a_folder_without_one_is_named(tmp_path):
    with pytest.raises(ServeError, match=f"{CARD_PATH} must be a model card"):
        ModelCard.read(tmp_path)
