"""Accuracy and per-class recall of an exported model, from nothing but its files and a split's records."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from roadworthy.models.measure.records import labelled_batches
from roadworthy.models.measure.results import Quality
from roadworthy.serving.contract import EXAMPLES_INPUT, EXAMPLES_SIGNATURE, LABEL_INDEX_KEY, SCORES, ModelCard
from roadworthy.serving.errors import DataError
from roadworthy.serving.servables.open import open_servable

Labels = npt.NDArray[np.int64]

BATCH_SIZE: Final = 64


def measure_quality(version_dir: Path, files: Sequence[str], *, batch_size: int = BATCH_SIZE) -> Quality:
    """Answers every example of a split through `serving_default`, batch by batch.

    Args:
        version_dir: an exported version folder with its card.
        files: globs of gzip TFRecords of tf.Example with `image/encoded` and `image/class/label`.
        batch_size: examples a call, at least 1.

    Raises:
        DataError: no example, or a label index the model has no class for.
        ServeError: the version can't be loaded.
    """
    labels = ModelCard.read(version_dir).labels
    counts = np.zeros((len(labels), len(labels)), np.int64)
    servable = open_servable(version_dir)
    try:
        for records, truth in labelled_batches(files, batch_size=batch_size):
            scores = servable.predict(EXAMPLES_SIGNATURE, {EXAMPLES_INPUT: records})[SCORES]
            counts += confusion(truth, scores)
    finally:
        servable.close()
    return quality_of(counts, labels)


def confusion(truth: Labels, scores: npt.NDArray[np.floating]) -> Labels:
    """Counts true class against answered class, the first of the highest scores.

    Args:
        truth: int64[batch], each in [0, classes).
        scores: float[batch, classes].

    Returns:
        int64[classes, classes], row by true class.

    Raises:
        DataError: a label index outside the model's classes.
    """
    classes = scores.shape[1]
    if truth.size and not (truth.min() >= 0 and truth.max() < classes):
        raise DataError(
            f"{LABEL_INDEX_KEY} must be in [0, {classes}), the model's classes. "
            f"Received: {truth.min()} to {truth.max()}. Train and measure on the same data."
        )
    cells = np.bincount(truth * classes + scores.argmax(axis=1), minlength=classes * classes)
    return cells.reshape(classes, classes)


def quality_of(counts: Labels, labels: Sequence[str]) -> Quality:
    """Accuracy and recall of a confusion matrix; recall is the share of a class's examples answered as that class.

    Raises:
        DataError: the matrix counts no example.
    """
    examples, correct = int(counts.sum()), counts.diagonal()
    if examples == 0:
        raise DataError("A split must have at least one example to measure quality on. Received: none.")
    of_class = counts.sum(axis=1)
    return Quality(
        accuracy=int(correct.sum()) / examples,
        recall={label: int(correct[i]) / int(of_class[i]) for i, label in enumerate(labels) if of_class[i]},
        examples=examples,
    )
