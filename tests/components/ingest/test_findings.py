import json
from pathlib import Path

import pytest

from roadworthy.components.ingest.findings import (
    BadImage,
    bad_images_json,
    labels_json,
    refuse_gaps,
    refuse_too_many_bad,
)
from roadworthy.serving.errors import DataError

ROOT = Path("/photos")
LABELS = ("cat", "dog")
SPLITS = ("train", "val", "test")
FULL = {(split, label): 5 for split in SPLITS for label in LABELS}


def bad_images(count: int) -> list[BadImage]:
    return [BadImage(f"cat/{number:02d}.png", f"broken {number}") for number in range(count)]


def test_a_share_of_bad_images_up_to_the_limit_is_tolerated():
    refuse_too_many_bad(bad_images(5), total=100, max_bad_fraction=0.05, root=ROOT)


def test_a_share_above_the_limit_is_refused_with_counts():
    with pytest.raises(DataError, match=r"/photos must not have more than 5.00%.*Received: 6 of 100 \(6.00%\)"):
        refuse_too_many_bad(bad_images(6), total=100, max_bad_fraction=0.05, root=ROOT)


def test_the_first_ten_bad_images_are_listed_with_their_reasons():
    with pytest.raises(DataError) as caught:
        refuse_too_many_bad(bad_images(12), total=100, max_bad_fraction=0.05, root=ROOT)

    lines = str(caught.value).splitlines()[1:]
    assert lines == [*(f"  cat/{number:02d}.png: broken {number}" for number in range(10)), "  … and 2 more"]


def test_splits_that_all_have_images_pass():
    refuse_gaps(FULL, splits=SPLITS, labels=LABELS, root=ROOT)


def test_a_class_missing_outside_of_train_passes():
    counts = {key: count for key, count in FULL.items() if key != ("val", "dog")}

    refuse_gaps(counts, splits=SPLITS, labels=LABELS, root=ROOT)


def test_a_class_without_training_images_is_refused_by_name():
    counts = {key: count for key, count in FULL.items() if key != ("train", "dog")}

    with pytest.raises(DataError, match=r"an image of every class in the train split. Received: none of dog"):
        refuse_gaps(counts, splits=SPLITS, labels=LABELS, root=ROOT)


def test_an_empty_split_is_refused_by_name():
    counts = {key: count for key, count in FULL.items() if key[0] != "val"}

    with pytest.raises(DataError, match=r"images for the val split. Received: 20 images, none of which fell in it"):
        refuse_gaps(counts, splits=SPLITS, labels=LABELS, root=ROOT)


def test_labels_keep_their_order_and_letters():
    assert json.loads(labels_json(["zèbre", "aardvark"])) == ["zèbre", "aardvark"]


def test_bad_images_are_written_with_path_and_reason():
    assert json.loads(bad_images_json(bad_images(1), total=7)) == {
        "checked": 7,
        "bad": [{"path": "cat/00.png", "reason": "broken 0"}],
    }
