"""The data nodes as TFX calls them."""

from pathlib import Path
from typing import Any

from tfx.components.statistics_gen.executor import Executor as StatisticsExecutor
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts

from roadworthy.components.data_check.statistics import image_statistics
from roadworthy.components.ingest.component import ImageFolderExampleGen
from roadworthy.components.ingest.driver import Driver
from roadworthy.components.ingest.executor import Executor

SPLITS = ["train", "val", "test"]


def ingest(workers: list[str], data: Path, artifact: Path) -> None:
    """The images of a folder, as an Examples artifact."""
    component = ImageFolderExampleGen(str(data))
    properties = Driver(None).resolve_exec_properties(dict(component.exec_properties), None, None)
    Executor(Executor.Context(beam_pipeline_args=workers)).Do({}, {"examples": [examples(artifact)]}, properties)


def statistics(workers: list[str], data: Path, artifact: Path) -> None:
    """The statistics of an Examples artifact."""
    written = standard_artifacts.ExampleStatistics()
    written.uri = str(artifact)
    options: dict[str, Any] = {"stats_options_json": image_statistics().to_json(), "exclude_splits": "[]"}
    executor = StatisticsExecutor(StatisticsExecutor.Context(beam_pipeline_args=workers))
    executor.Do({"examples": [examples(data)]}, {"statistics": [written]}, options)


def examples(uri: Path) -> standard_artifacts.Examples:
    """An Examples artifact with our splits."""
    artifact = standard_artifacts.Examples()
    artifact.uri = str(uri)
    artifact.split_names = artifact_utils.encode_split_names(SPLITS)
    examples_utils.set_file_format(artifact, "tfrecords_gzip")
    examples_utils.set_payload_format(artifact, example_gen_pb2.FORMAT_TF_EXAMPLE)
    return artifact
