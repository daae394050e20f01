"""Stops a run whose data has an anomaly; ExampleValidator only notes them."""

import json
from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from roadworthy.components.data_check.anomalies import anomalies_in, checked_splits, refuse
from roadworthy.components.data_check.artifacts import DataVerdict


@component
def DataCheck(  # noqa: N802
    anomalies: InputArtifact[standard_artifacts.ExampleAnomalies],
    verdict: OutputArtifact[DataVerdict],
) -> None:
    """Fails, naming split, feature and reason of each, when ExampleValidator found an anomaly."""
    refuse(anomalies_in(anomalies.uri))
    content = json.dumps({"splits": checked_splits(anomalies.uri), "anomalies": []}, indent=2)
    Path(verdict.uri, "verdict.json").write_text(content + "\n")
