import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import accuracy_score, recall_score

from roadworthy.models.measure.answers import Truth
from roadworthy.models.measure.quality import agrees, confusion, parity_of, quality_of, slices_beside

LABELS = ("a", "b", "c")


def one_hot(answers):
    return np.eye(3, dtype=np.float32)[answers]


def truth_of(labels, **features) -> Truth:
    return Truth(np.asarray(labels, np.int64), {key: np.asarray(values) for key, values in features.items()})


def test_a_row_counts_how_a_class_was_answered():
    counts = confusion(np.array([0, 0, 1, 2]), np.array([0, 2, 1, 0]), classes=3)
    assert counts.tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_the_first_of_equal_scores_is_the_answer():
    quality = quality_of(np.array([[0.1, 0.45, 0.45]], np.float32), truth_of([1]), LABELS)
    assert quality.confusion == ((0, 0, 0), (0, 1, 0), (0, 0, 0))


def test_a_class_without_examples_has_no_recall():
    quality = quality_of(one_hot([0, 0, 0, 1]), truth_of([0, 0, 0, 0]), LABELS)
    assert quality.recall == {"a": 0.75}
    assert quality.accuracy == 0.75
    assert quality.interval.low < 0.75 < quality.interval.high


def test_a_slice_is_the_examples_that_share_a_value():
    truth = truth_of([0, 1, 2, 2], **{"image/format": ["png", "png", "jpeg", "jpeg"], "height": ["8", "8", "8", "9"]})
    slices = quality_of(one_hot([0, 0, 2, 2]), truth, LABELS).slices
    assert [(one.feature, one.value, one.examples, one.accuracy) for one in slices] == [
        ("image/format", "jpeg", 2, 1.0),
        ("image/format", "png", 2, 0.5),
        ("height", "8", 3, pytest.approx(2 / 3)),
        ("height", "9", 1, 1.0),
    ]


@given(st.integers(1, 40).flatmap(lambda n: arrays.arrays(np.int64, (2, n), elements=st.integers(0, 2))))
def test_accuracy_and_recall_are_scikit_learns(answers):
    labels, answered = answers
    quality = quality_of(one_hot(answered), truth_of(labels), LABELS)
    present = np.unique(labels)
    assert quality.accuracy == pytest.approx(accuracy_score(labels, answered))
    expected = recall_score(labels, answered, labels=present, average=None)
    assert list(quality.recall.values()) == pytest.approx(expected.tolist())


def test_parity_is_of_answers_and_of_scores():
    parent = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0, 0, 1], [1, 0, 0]], np.float32)
    variant = np.array([[0.8, 0.2, 0], [0.6, 0.4, 0], [0, 0, 1], [0, 1, 0]], np.float32)
    parity = parity_of(parent, variant, truth_of([0, 1, 2, 1]))
    assert (parity.agreement, parity.accuracy_drop) == (0.5, 0)
    assert parity.max_difference == 1
    assert parity.mean_difference == pytest.approx((0.2 + 0.8 + 0 + 2) / 12)
    assert parity.drop_interval.low < 0 < parity.drop_interval.high


def test_what_a_slice_lost_is_paired_by_example():
    truth = truth_of([0] * 20, kind=["day"] * 10 + ["night"] * 10)
    parent, variant = one_hot([0] * 20), one_hot([0] * 10 + [0] * 4 + [1] * 6)
    day, night = slices_beside(parent, variant, truth, quality_of(variant, truth, LABELS).slices)
    assert (day.drop_interval.low, day.drop_interval.high) == (0, 0)
    assert 0 < night.drop_interval.low < 0.6 < night.drop_interval.high


@pytest.mark.parametrize(
    ("others", "same"),
    [
        ({}, True),
        ({"accuracy": 0.7, "recall": {"a": 0.8, "c": 0.6}}, True),
        ({"accuracy": 0.6, "recall": {"a": 0.8, "c": 0.4}}, False),
        ({"recall": {"a": 0.4, "c": 1.0}}, False),
        ({"recall": {"a": 0.8, "b": 0.8}}, False),
        ({"examples": 11}, False),
    ],
    ids=["equal", "one answer turned", "two turned", "other answers", "other classes", "other examples"],
)
def test_others_may_find_one_answer_differently_and_no_more(others, same):
    quality = quality_of(one_hot([0] * 4 + [1] + [2] * 4 + [0]), truth_of([0] * 5 + [2] * 5), LABELS)
    assert agrees(quality, **{"accuracy": 0.8, "recall": {"a": 0.8, "c": 0.8}, "examples": 10} | others) is same
