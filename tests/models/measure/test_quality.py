import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import accuracy_score, recall_score

from contracts.digits import LABELS, PER_CLASS, digits, example
from roadworthy.models.measure.quality import confusion, measure_quality, quality_of
from roadworthy.serving.contract import LABEL_INDEX_KEY
from roadworthy.serving.errors import DataError


def one_hot(answers):
    return np.eye(3, dtype=np.float32)[answers]


def test_a_row_counts_how_a_class_was_answered():
    counts = confusion(np.array([0, 0, 1, 2]), one_hot([0, 2, 1, 0]))
    assert counts.tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_the_first_of_equal_scores_is_the_answer():
    assert confusion(np.array([1]), np.array([[0.1, 0.45, 0.45]])).tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_the_model_has_no_class_for_is_refused(label):
    with pytest.raises(DataError, match=r"must be in \[0, 3\)"):
        confusion(np.array([label]), one_hot([0]))


def test_a_class_without_examples_has_no_recall():
    quality = quality_of(np.array([[3, 1], [0, 0]]), ["cat", "dog"])
    assert quality.recall == {"cat": 0.75}
    assert quality.accuracy == 0.75


def test_a_split_without_examples_is_refused():
    with pytest.raises(DataError, match="at least one example"):
        quality_of(np.zeros((2, 2), np.int64), ["cat", "dog"])


@given(st.integers(1, 40).flatmap(lambda n: arrays.arrays(np.int64, (2, n), elements=st.integers(0, 2))))
def test_accuracy_and_recall_are_scikit_learns(answers):
    truth, answered = answers
    quality = quality_of(confusion(truth, one_hot(answered)), ["a", "b", "c"])
    present = np.unique(truth)
    assert quality.accuracy == pytest.approx(accuracy_score(truth, answered))
    expected = recall_score(truth, answered, labels=present, average=None)
    assert list(quality.recall.values()) == pytest.approx(expected.tolist())


def test_every_example_of_a_split_counts_once_whatever_the_batch(saved_model, examples):
    files = [f"{examples}/Split-test/*"]
    whole = measure_quality(saved_model, files, batch_size=1000)
    assert whole.examples == PER_CLASS["test"] * len(LABELS)
    assert measure_quality(saved_model, files, batch_size=7) == whole
    assert 0.3 < whole.accuracy < 1


def test_an_int8_model_answers_nearly_as_its_parent(saved_model, litert, examples):
    files = [f"{examples}/Split-test/*"]
    parent, int8 = measure_quality(saved_model, files), measure_quality(litert, files)
    assert int8.examples == parent.examples
    assert abs(int8.accuracy - parent.accuracy) <= 0.1


def test_examples_of_other_classes_are_refused(saved_model, tmp_path):
    record = tf.train.Example.FromString(example(digits()[0][0], 0))
    record.features.feature[LABEL_INDEX_KEY].int64_list.value[0] = 9
    with tf.io.TFRecordWriter(str(tmp_path / "data.gz"), "GZIP") as writer:
        writer.write(record.SerializeToString())
    with pytest.raises(DataError, match="9 to 9"):
        measure_quality(saved_model, [f"{tmp_path}/*"])
