"""Batches read from a real, small Examples artifact."""

import json
from pathlib import Path

import numpy as np
import pytest

from roadworthy.models.finetuning.dataset import count_examples, image_batches, read_labels
from roadworthy.serving.errors import DataError


@pytest.fixture
def train_files(examples_dir: Path) -> list[str]:
    return [str(examples_dir / "Split-train" / "*")]


def labels_of(files: list[str], *, batches: int = 100, **options: object) -> list[int]:
    dataset = image_batches(files, height=8, width=8, batch_size=5, **options)  # type: ignore[arg-type]
    return [int(label) for _, batch in dataset.take(batches) for label in batch]


def first_pixels(dataset: object) -> list[float]:
    return [float(image.sum()) for images, _ in dataset.as_numpy_iterator() for image in images]  # type: ignore[attr-defined]


def test_batches_have_the_shapes_and_ranges_promised(train_files: list[str]) -> None:
    images, labels = next(iter(image_batches(train_files, height=20, width=10, batch_size=7)))
    assert images.shape == (7, 20, 10, 3)
    assert (images.dtype, labels.dtype) == ("float32", "int64")
    assert 0 <= images.numpy().min() < 100 < images.numpy().max() <= 255


def test_every_example_comes_once_and_the_last_batch_may_be_short(train_files: list[str]) -> None:
    assert labels_of(train_files) == [0, 1] * 12
    assert count_examples(train_files) == 24


def test_repeating_fills_every_batch(train_files: list[str]) -> None:
    assert len(labels_of(train_files, batches=20, repeat=True)) == 100


def test_shuffling_is_the_same_for_the_same_seed_and_anew_each_epoch(train_files: list[str]) -> None:
    once, again, other = (
        image_batches(train_files, height=8, width=8, batch_size=4, shuffle_seed=seed) for seed in (1, 1, 2)
    )
    first, second = first_pixels(once), first_pixels(once)
    assert first == first_pixels(again)
    assert first != first_pixels(other)
    assert first != second
    assert sorted(first) == sorted(second)


def test_no_matching_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing/\*"):
        image_batches([str(tmp_path / "nothing" / "*")], height=8, width=8, batch_size=1)


def test_labels_are_found_beside_the_split(train_files: list[str]) -> None:
    assert read_labels(train_files) == ("flower", "temple")


@pytest.mark.parametrize("content", [None, "no json", '{"a": 1}', '["one"]', '["a", "a", "b"]', "[1, 2]"])
def test_labels_that_are_missing_or_no_list_of_names_are_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "labels.json").write_text(content)
    with pytest.raises(DataError, match=r"labels\.json must list"):
        read_labels([str(tmp_path / "Split-train" / "*")])


def test_labels_keep_their_order(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(json.dumps(["b", "a"]))
    assert read_labels([f"{tmp_path}/Split-val/data_tfrecord-*"]) == ("b", "a")


def test_pixels_do_not_depend_on_the_batch(train_files: list[str]) -> None:
    one = first_pixels(image_batches(train_files, height=8, width=8, batch_size=1))
    many = first_pixels(image_batches(train_files, height=8, width=8, batch_size=24))
    np.testing.assert_allclose(one, many)
