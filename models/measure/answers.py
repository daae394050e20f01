"""What a model answers to every example of a split, kept as a file, so that it is asked once and compared often."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from roadworthy.models.measure.records import read_features, serialized_batches
from roadworthy.serving.contract import EXAMPLES_INPUT, EXAMPLES_SIGNATURE, LABEL_INDEX_KEY, SCORES, ModelCard
from roadworthy.serving.errors import DataError, ModelError
from roadworthy.serving.servables.open import open_servable

BATCH_SIZE: Final = 64


@dataclass(frozen=True)
class Truth:
    """What is known of a split's examples, a value an example; the images stay on disk.

    Attributes:
        labels: int64[examples], indices of the true classes.
        features: by key in the tf.Example, str[examples].
    """

    labels: npt.NDArray[np.int64]
    features: Mapping[str, npt.NDArray[np.str_]]


def read_truth(files: Sequence[str], *, features: Sequence[str] = ()) -> Truth:
    """Reads the labels of a split, and the features it is to be sliced by, in the order of the files.

    Args:
        files: globs of gzip TFRecords of tf.Example with `image/class/label`.
        features: keys of scalar string or whole-number features that every example has.

    Raises:
        DataError: no example, or one without such a feature.
    """
    columns = read_features(files, [LABEL_INDEX_KEY, *features])
    labels = columns.pop(LABEL_INDEX_KEY)
    if not len(labels):
        raise DataError(f"A split must have at least one example to measure on. Received: none in {', '.join(files)}.")
    return Truth(labels.astype(np.int64), {key: values.astype(np.str_) for key, values in columns.items()})


def write_answers(
    version_dir: Path, files: Sequence[str], *, truth: Truth, out: Path, batch_size: int = BATCH_SIZE
) -> None:
    """Asks an exported model about every example of a split through `serving_default`, batch by batch.

    Args:
        version_dir: an exported version folder with its card.
        files: as `read_truth` had them.
        truth: what it read.
        out: the .npy file to write: float32[examples, classes], scores in the order of the files.
        batch_size: examples a call, at least 1.

    Raises:
        DataError: a label index the model has no class for.
        ModelError: a score is not a finite number.
        ServeError: the version can't be loaded.
    """
    classes = len(ModelCard.read(version_dir).labels)
    _check_labels(truth.labels, classes)
    out.parent.mkdir(parents=True, exist_ok=True)
    scores = np.lib.format.open_memmap(out, mode="w+", dtype=np.float32, shape=(len(truth.labels), classes))
    servable = open_servable(version_dir)
    try:
        start = 0
        for records in serialized_batches(files, batch_size=batch_size):
            answers = _ask(servable, records)
            _check_finite(answers, version_dir)
            scores[start : start + len(answers)] = answers
            start += len(answers)
    finally:
        servable.close()
        scores.flush()


def read_answers(path: Path) -> npt.NDArray[np.float32]:
    """The scores of a file of `write_answers`, mapped rather than read."""
    scores: npt.NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    return scores


def _ask(servable: Any, records: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    scores: npt.NDArray[np.float32] = servable.predict(EXAMPLES_SIGNATURE, {EXAMPLES_INPUT: records})[SCORES]
    return scores


def _check_labels(labels: npt.NDArray[np.int64], classes: int) -> None:
    if not (labels.min() >= 0 and labels.max() < classes):
        raise DataError(
            f"{LABEL_INDEX_KEY} must be in [0, {classes}), the model's classes. "
            f"Received: {labels.min()} to {labels.max()}. Train and measure on the same data."
        )


def _check_finite(scores: npt.NDArray[np.float32], version_dir: Path) -> None:
    """Nothing can be said of a model whose scores are no numbers: the highest of them would be any."""
    bad = int(np.count_nonzero(~np.isfinite(scores).all(axis=1)))
    if bad:
        raise ModelError(
            f"{version_dir}: the variant {ModelCard.read(version_dir).variant} must answer with finite scores. "
            f"Received: NaN or infinity for {bad} of {len(scores)} images. Leave its recipe out, or train it at a "
            "lower learning rate; float16 holds nothing above 65504."
        )
