import keras
import numpy as np
import pytest
import tensorflow as tf

from contracts.digits import CARD, LABELS, PER_CLASS, classifier, digits, example
from roadworthy.models.export import export_litert
from roadworthy.models.measure.answers import read_answers, read_truth, write_answers
from roadworthy.models.measure.quality import quality_of
from roadworthy.serving.contract import FILENAME_KEY, LABEL_INDEX_KEY, LABEL_TEXT_KEY
from roadworthy.serving.errors import DataError, ModelError


@pytest.fixture(scope="module")
def files(examples):
    return [f"{examples}/Split-test/*"]


def answers(version_dir, files, out, **options):
    write_answers(version_dir, files, truth=read_truth(files), out=out, **options)
    return read_answers(out)


def test_the_truth_is_in_the_order_of_the_files(files):
    truth = read_truth(files, features=[LABEL_TEXT_KEY, FILENAME_KEY])
    assert len(truth.labels) == PER_CLASS["test"] * len(LABELS)
    assert [LABELS[label] for label in truth.labels] == truth.features[LABEL_TEXT_KEY].tolist()
    assert set(truth.features[FILENAME_KEY]) == {"digits.png"}


def test_every_example_is_answered_once_whatever_the_batch(saved_model, files, tmp_path):
    whole = answers(saved_model, files, tmp_path / "whole.npy", batch_size=1000)
    assert whole.shape == (PER_CLASS["test"] * len(LABELS), len(LABELS))
    np.testing.assert_allclose(answers(saved_model, files, tmp_path / "by-seven.npy", batch_size=7), whole, atol=1e-6)
    assert 0.3 < quality_of(whole, read_truth(files), LABELS).accuracy < 1


def test_an_int8_model_answers_nearly_as_its_parent(saved_model, litert, files, tmp_path):
    parent, int8 = answers(saved_model, files, tmp_path / "a.npy"), answers(litert, files, tmp_path / "b.npy")
    assert np.mean(parent.argmax(axis=1) == int8.argmax(axis=1)) > 0.9


def test_examples_of_other_classes_are_refused_and_nothing_is_written(saved_model, tmp_path):
    record = tf.train.Example.FromString(example(digits()[0][0], 0))
    record.features.feature[LABEL_INDEX_KEY].int64_list.value[0] = 9
    with tf.io.TFRecordWriter(str(tmp_path / "data.gz"), "GZIP") as writer:
        writer.write(record.SerializeToString())
    with pytest.raises(DataError, match=r"must be in \[0, 4\).*9 to 9"):
        answers(saved_model, [f"{tmp_path}/*.gz"], tmp_path / "answers.npy")
    assert not (tmp_path / "answers.npy").exists()


def test_a_model_whose_scores_are_no_numbers_is_named(files, tmp_path):
    model = broken(classifier(), kernel=np.nan)
    export_litert(tf.lite.TFLiteConverter.from_keras_model(model).convert(), CARD, tmp_path / "1")
    with pytest.raises(ModelError, match=r"the variant parent must answer with finite.*NaN or infinity for 60 of 60"):
        answers(tmp_path / "1", files, tmp_path / "answers.npy")


def broken(model, *, kernel):
    copy = keras.models.clone_model(model)
    copy.set_weights([np.full_like(weights, kernel) for weights in model.get_weights()])
    return copy


def test_a_feature_that_examples_lack_is_named(files):
    with pytest.raises(DataError, match=r"under 'camera'. Received: none. Slice by another"):
        read_truth(files, features=["camera"])


def test_a_split_without_examples_is_refused(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "data.gz"), "GZIP"):
        pass
    with pytest.raises(DataError, match="at least one example"):
        read_truth([f"{tmp_path}/*.gz"])
