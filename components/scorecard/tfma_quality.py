"""A SavedModel's quality by TensorFlow Model Analysis, on the exported file itself."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import tensorflow_model_analysis as tfma
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_model_analysis.proto import config_pb2
from tfx_bsl.tfxio import tf_example_record

from roadworthy.models.measure.answers import BATCH_SIZE
from roadworthy.models.measure.quality import agrees
from roadworthy.models.measure.results import Quality
from roadworthy.serving.contract import EXAMPLES_SIGNATURE, LABEL_INDEX_KEY, LABEL_TEXT_KEY, SCORES
from roadworthy.serving.errors import DataError

_ACCURACY: Final = "SparseCategoricalAccuracy"
_COUNT: Final = "ExampleCount"


def check_tfma_agrees(
    version_dir: Path, files: Sequence[str], quality: Quality, *, out_dir: Path, make_pipeline: Callable[[], Any]
) -> None:
    """Runs TFMA over a split, whole and sliced by class, and holds accuracy and recall to what it finds.

    Args:
        version_dir: an exported SavedModel.
        files: globs of gzip TFRecords of tf.Example.
        quality: of the same model on the same split.
        out_dir: where TFMA's own results are written, for `tfma.load_eval_result`.
        make_pipeline: makes the Beam pipeline to run on.

    Raises:
        DataError: the split has no example.
        RuntimeError: TFMA finds other figures.
    """
    accuracy, recall, examples = measure_with_tfma(version_dir, files, out_dir=out_dir, make_pipeline=make_pipeline)
    if not agrees(quality, accuracy=accuracy, recall=recall, examples=examples):
        raise RuntimeError(
            f"{version_dir} must do as well by TFMA as by our own code: {quality.accuracy} on {quality.examples} "
            f"examples, recall {quality.recall}. Received from TFMA: {accuracy} on {examples}, recall {recall}."
        )


def measure_with_tfma(
    version_dir: Path, files: Sequence[str], *, out_dir: Path, make_pipeline: Callable[[], Any]
) -> tuple[float, dict[str, float], int]:
    """Accuracy, recall by class and number of examples; the accuracy of a class's slice is its recall.

    Args:
        version_dir: an exported SavedModel.
        files: globs of gzip TFRecords of tf.Example.
        out_dir: where TFMA's own results are written.
        make_pipeline: makes the Beam pipeline to run on.

    Raises:
        DataError: the split has no example.
    """
    config = eval_config()
    model = tfma.default_eval_shared_model(str(version_dir), eval_config=config)
    records = tf_example_record.TFExampleRecord(
        file_pattern=list(files),
        schema=_label_schema(),
        raw_record_column_name=tfma.ARROW_INPUT_COLUMN,
        telemetry_descriptors=["Roadworthy"],
    )
    with make_pipeline() as pipeline:
        _ = (
            pipeline
            | "Read" >> records.BeamSource(batch_size=BATCH_SIZE)
            | "Analyse"
            >> tfma.ExtractEvaluateAndWriteResults(
                eval_shared_model=model, eval_config=config, output_path=str(out_dir)
            )
        )
    return _figures(tfma.load_eval_result(str(out_dir)).slicing_metrics, files)


def eval_config() -> Any:
    """What TFMA is asked for: examples and accuracy, overall and for each class."""
    metrics = [config_pb2.MetricConfig(class_name=name) for name in (_COUNT, _ACCURACY)]
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(signature_name=EXAMPLES_SIGNATURE, prediction_key=SCORES, label_key=LABEL_INDEX_KEY)
        ],
        slicing_specs=[config_pb2.SlicingSpec(), config_pb2.SlicingSpec(feature_keys=[LABEL_TEXT_KEY])],
        metrics_specs=[config_pb2.MetricsSpec(metrics=metrics)],
    )


def _label_schema() -> Any:
    """Only the labels become columns; the image reaches the model within the raw record."""
    once = {
        "value_count": schema_pb2.ValueCount(min=1, max=1),
        "presence": schema_pb2.FeaturePresence(min_fraction=1, min_count=1),
    }
    types = {LABEL_INDEX_KEY: schema_pb2.INT, LABEL_TEXT_KEY: schema_pb2.BYTES}
    return schema_pb2.Schema(feature=[schema_pb2.Feature(name=name, type=kind, **once) for name, kind in types.items()])


def _figures(slices: Sequence[tuple[Any, Any]], files: Sequence[str]) -> tuple[float, dict[str, float], int]:
    correct_of: dict[str | None, tuple[int, int]] = {}
    for key, values in slices:
        metrics = {name: value["doubleValue"] for name, value in values[""][""].items()}
        examples = round(metrics["example_count"])
        # TFMA's accuracy is a float32; the count behind it is whole, so the exact share can be had again.
        correct_of[key[0][1] if key else None] = (round(metrics["sparse_categorical_accuracy"] * examples), examples)
    if None not in correct_of:
        raise DataError(f"{', '.join(files)} must hold at least one example to measure quality on. Received: none.")
    correct, examples = correct_of.pop(None)
    recall = {str(label): right / of_class for label, (right, of_class) in sorted(correct_of.items())}
    return correct / examples, recall, examples
