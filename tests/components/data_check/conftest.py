import functools
import io
from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from apache_beam.options.pipeline_options import PipelineOptions
from PIL import Image
from sklearn.datasets import load_sample_images
from tfx_bsl.public.tfxio import TFExampleRecord

from roadworthy.components.data_check.statistics import image_statistics
from roadworthy.components.ingest.examples import example_of
from roadworthy.pipeline.beam.arguments import beam_arguments

Statistics = Callable[..., object]


@pytest.fixture(scope="session")
def statistics_of(tmp_path_factory) -> Statistics:
    """Statistics, as StatisticsGen makes them, of one square of a photo for each letter, which is its label."""
    photo = Image.fromarray(load_sample_images().images[1])

    @functools.cache
    def statistics(labels: str, *, kind: str = "png", side: int = 32) -> object:
        records = tmp_path_factory.mktemp("records") / "data.gz"
        with tf.io.TFRecordWriter(str(records), "GZIP") as writer:
            for number, label in enumerate(labels):
                buffer = io.BytesIO()
                photo.crop((number, 0, number + side, side)).save(buffer, format=kind)
                path = f"{label}/{number}.{kind}"
                example = example_of(buffer.getvalue(), path=path, label=ord(label), label_text=label)
                writer.write(example.SerializeToString())
        return _generated(records)

    return statistics


def _generated(records: Path) -> object:
    options, written = image_statistics(), str(records.with_suffix(".pb"))
    source = TFExampleRecord(str(records), schema=options.schema).BeamSource()
    with beam.Pipeline(options=PipelineOptions(beam_arguments(1))) as pipeline:
        _ = pipeline | source | tfdv.GenerateStatistics(options) | tfdv.WriteStatisticsToBinaryFile(written)
    return tfdv.load_stats_binary(written)


@pytest.fixture(scope="session")
def schema(statistics_of) -> object:
    """What SchemaGen infers of a small training split with three classes."""
    return tfdv.infer_schema(statistics_of("aaabbbccc"), infer_feature_shape=True)


@pytest.fixture
def write_anomalies(tmp_path) -> Callable[..., str]:
    """Writes anomalies where ExampleValidator does; returns the artifact's folder."""

    def write(**by_split: object) -> str:
        for split, found in by_split.items():
            folder = Path(tmp_path, f"Split-{split}")
            folder.mkdir()
            (folder / "SchemaDiff.pb").write_bytes(found.SerializeToString())
        return str(tmp_path)

    return write
