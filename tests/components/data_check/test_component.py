import json
from pathlib import Path

import pytest
import tensorflow_data_validation as tfdv
from tfx.types import standard_artifacts

from contracts.component import channel_of, check_component
from roadworthy.components.data_check.artifacts import DataVerdict
from roadworthy.components.data_check.component import DataCheck
from roadworthy.serving.errors import DataError


def run_check(uri: str, verdict_folder: Path) -> dict:
    """Calls the executor as TFX's launcher does."""
    component = DataCheck(anomalies=channel_of(standard_artifacts.ExampleAnomalies))
    anomalies, verdict = standard_artifacts.ExampleAnomalies(), DataVerdict()
    anomalies.uri, verdict.uri = uri, str(verdict_folder)
    component.executor_spec.executor_class().Do({"anomalies": [anomalies]}, {"verdict": [verdict]}, {})
    return json.loads((verdict_folder / "verdict.json").read_text())


def test_it_keeps_the_contract_of_components():
    check_component(DataCheck(anomalies=channel_of(standard_artifacts.ExampleAnomalies)))


def test_a_verdict_names_the_splits_that_were_checked(statistics_of, schema, write_anomalies, tmp_path_factory):
    good = tfdv.validate_statistics(statistics_of("abc"), schema)

    verdict = run_check(write_anomalies(train=good, test=good), tmp_path_factory.mktemp("verdict"))
    assert verdict == {"splits": ["test", "train"], "anomalies": []}


def test_an_anomaly_stops_the_run(statistics_of, schema, write_anomalies, tmp_path_factory):
    bad = tfdv.validate_statistics(statistics_of("abcd"), schema)

    with pytest.raises(DataError, match=r"test: image/class/text: .* d"):
        run_check(write_anomalies(test=bad), tmp_path_factory.mktemp("verdict"))
