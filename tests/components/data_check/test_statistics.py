import pytest
import tensorflow_data_validation as tfdv

from roadworthy.components.data_check.statistics import image_statistics


def test_image_bytes_and_file_names_are_left_out(statistics_of):
    (dataset,) = statistics_of("abc").datasets

    assert sorted(feature.path.step[0] for feature in dataset.features) == [
        "image/class/label",
        "image/class/text",
        "image/height",
        "image/width",
    ]


def test_options_reach_the_node_as_json():
    options = tfdv.StatsOptions.from_json(image_statistics().to_json())

    assert options.schema == image_statistics().schema
    assert options.experimental_filter_read_paths


@pytest.mark.parametrize(
    ("labels", "settings"),
    [("abc", {}), ("aab", {}), ("abc", {"kind": "jpeg", "side": 48})],
    ids=["other shares", "a class missing", "another format and size"],
)
def test_what_may_differ_between_splits_is_no_anomaly(statistics_of, schema, labels, settings):
    assert not tfdv.validate_statistics(statistics_of(labels, **settings), schema).anomaly_info


def test_a_new_label_is_an_anomaly(statistics_of, schema):
    anomalies = tfdv.validate_statistics(statistics_of("abcd"), schema).anomaly_info

    assert list(anomalies) == ["image/class/text"]
