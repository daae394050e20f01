"""Files through TFX's BulkInferrer: a SavedModel asked by Beam, on this machine or wherever Beam's options say."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from roadworthy.pipeline.bulk.ask import Answer
from roadworthy.serving.contract import (
    EXAMPLES_INPUT,
    EXAMPLES_SIGNATURE,
    FILENAME_KEY,
    IMAGE_KEY,
    SAVED_MODEL_FILE,
    SCORES,
    ModelCard,
)
from roadworthy.serving.errors import DataError

_SPLIT: Final = "asked"
_SHARD: Final = "data_tfrecord-00000-of-00001.gz"


def bulk_infer(model: Path, files: Iterable[str], *, work_dir: str, beam_arguments: Sequence[str]) -> Iterator[Answer]:
    """Classifies files.

    Args:
        model: version folder of a SavedModel.
        files: paths of JPEG or PNG files.
        work_dir: folder for examples, model and predictions, new; on gs:// where the workers are elsewhere.
        beam_arguments: Beam's pipeline options.

    Yields:
        An answer a file, in no order.

    Raises:
        DataError: a file can't be read, or the model is no SavedModel.
    """
    if not (model / SAVED_MODEL_FILE).is_file():
        raise DataError(
            f"{model} must be a SavedModel for Beam. Received: no {SAVED_MODEL_FILE}. "
            "Ask a LiteRT version with roadworthy serve and roadworthy predict."
        )
    examples = _write_examples(files, f"{work_dir}/examples")
    served = _with_scores_alone(model, f"{work_dir}/model")
    _infer(examples, served, f"{work_dir}/predictions", beam_arguments)
    return _answers(f"{work_dir}/predictions", ModelCard.read(model).labels)


def _write_examples(files: Iterable[str], folder: str) -> Any:
    import tensorflow as tf
    from tfx.types.standard_artifacts import Examples

    split = f"{folder}/Split-{_SPLIT}"
    tf.io.gfile.makedirs(split)
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    with tf.io.TFRecordWriter(f"{split}/{_SHARD}", options) as writer:
        for file in files:
            example = tf.train.Example()
            try:
                example.features.feature[IMAGE_KEY].bytes_list.value.append(Path(file).read_bytes())
            except OSError as error:
                raise DataError(f"{file} must be a readable file. Received: {error.strerror}.") from error
            example.features.feature[FILENAME_KEY].bytes_list.value.append(file.encode(errors="surrogateescape"))
            writer.write(example.SerializeToString())
    artifact = Examples()
    artifact.uri, artifact.split_names = folder, f'["{_SPLIT}"]'
    return artifact


def _with_scores_alone(model: Path, folder: str) -> Any:
    """A copy of the model whose signature gives the scores alone: BulkInferrer can't write a label, a string a row."""
    import tensorflow as tf
    from tfx.types.standard_artifacts import Model
    from tfx.utils import path_utils

    class Scores(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = tf.saved_model.load(str(model))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=EXAMPLES_INPUT)])
        def serve(self, examples: Any) -> dict[str, Any]:
            return {SCORES: self.model.signatures[EXAMPLES_SIGNATURE](examples)[SCORES]}

    scores, artifact = Scores(), Model()
    artifact.uri = folder
    signatures = {EXAMPLES_SIGNATURE: scores.serve}
    tf.saved_model.save(scores, path_utils.serving_model_dir(folder), signatures=signatures)
    return artifact


def _infer(examples: Any, model: Any, folder: str, beam_arguments: Sequence[str]) -> None:
    from google.protobuf import json_format
    from tfx.components.bulk_inferrer.executor import Executor
    from tfx.proto import bulk_inferrer_pb2
    from tfx.types.standard_artifacts import InferenceResult

    result = InferenceResult()
    result.uri = folder
    data, asked = bulk_inferrer_pb2.DataSpec(), bulk_inferrer_pb2.ModelSpec(model_signature_name=[EXAMPLES_SIGNATURE])
    context = Executor.Context(
        beam_pipeline_args=list(beam_arguments), tmp_dir=f"{folder}-temporary", unique_id="batch"
    )
    Executor(context).Do(
        {"examples": [examples], "model": [model]},
        {"inference_result": [result]},
        {"data_spec": json_format.MessageToJson(data), "model_spec": json_format.MessageToJson(asked)},
    )


def _answers(folder: str, labels: Sequence[str]) -> Iterator[Answer]:
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    files = tf.io.gfile.glob(f"{folder}/prediction_logs*")
    for record in tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record).predict_log
        (raw,) = (raw for tensor in log.request.inputs.values() for raw in tensor.string_val)
        scores = tf.make_ndarray(log.response.outputs[SCORES]).ravel()
        name = tf.train.Example.FromString(raw).features.feature[FILENAME_KEY].bytes_list.value[0]
        fields = {"label": labels[int(scores.argmax())], "score": round(float(scores.max()), 6)}
        yield Answer(name.decode(errors="surrogateescape"), fields)
