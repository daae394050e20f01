import copy
from pathlib import Path

import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from roadworthy.components.data_check.anomalies import Anomaly, anomalies_in, checked_splits, refuse
from roadworthy.serving.errors import DataError


def test_an_anomaly_names_split_feature_and_reason(statistics_of, schema, write_anomalies):
    good = tfdv.validate_statistics(statistics_of("abc"), schema)
    bad = tfdv.validate_statistics(statistics_of("abcd"), schema)
    (found,) = anomalies_in(write_anomalies(train=good, test=bad))

    assert (found.split, found.feature) == ("test", "image/class/text")
    assert "values missing from the schema: d" in found.reason


def test_a_missing_feature_is_listed(statistics_of, schema, write_anomalies):
    without = copy.deepcopy(statistics_of("abc"))
    del without.datasets[0].features[0]
    (found,) = anomalies_in(write_anomalies(val=tfdv.validate_statistics(without, schema)))

    assert "Column" in found.reason


def test_a_split_without_examples_is_an_anomaly(schema, write_anomalies):
    nothing = statistics_pb2.DatasetFeatureStatisticsList()
    nothing.datasets.add(num_examples=0)
    uri = write_anomalies(val=tfdv.validate_statistics(nothing, schema))

    assert anomalies_in(uri) == [Anomaly("val", "(all features)", "No examples.")]


def test_good_splits_have_no_anomalies(statistics_of, schema, write_anomalies):
    good = tfdv.validate_statistics(statistics_of("abc"), schema)
    uri = write_anomalies(train=good, val=good)

    assert (checked_splits(uri), anomalies_in(uri)) == (["train", "val"], [])


def test_a_folder_without_splits_is_refused_rather_than_passed(tmp_path):
    with pytest.raises(DataError, match=f"{tmp_path} must hold anomalies written by ExampleValidator"):
        anomalies_in(str(tmp_path))


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"\xff\xff")])
def test_a_file_that_cannot_be_read_is_refused_by_name(write_anomalies, damage):
    uri = write_anomalies(train=anomalies_pb2.Anomalies())
    damage(Path(uri, "Split-train", "SchemaDiff.pb"))

    with pytest.raises(DataError, match=r"Split-train/SchemaDiff\.pb must be anomalies"):
        anomalies_in(uri)


def test_no_anomaly_is_no_reason_to_stop():
    refuse([])


def test_every_anomaly_is_listed_in_the_message():
    with pytest.raises(DataError, match=r"(?s)received: 2\..*  test: image/height: Too tall\..*  val: a: Gone\."):
        refuse([Anomaly("test", "image/height", "Too tall."), Anomaly("val", "a", "Gone.")])
