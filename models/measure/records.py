"""A split's records, read batch by batch."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from roadworthy.serving.contract import IMAGE_KEY, LABEL_INDEX_KEY


def labelled_batches(
    files: Sequence[str], *, batch_size: int
) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[np.int64]]]:
    """Reads serialized examples and their labels, in the order of the files.

    Args:
        files: globs of gzip TFRecords of tf.Example.
        batch_size: examples a batch, at least 1; the last one may have fewer.

    Yields:
        Serialized examples, object[batch] of bytes, and label indices, int64[batch].
    """
    import tensorflow as tf

    label = {LABEL_INDEX_KEY: tf.io.FixedLenFeature([], tf.int64)}
    for records in _records(files).batch(batch_size):
        yield records.numpy(), tf.io.parse_example(records, label)[LABEL_INDEX_KEY].numpy()


def first_images(files: Sequence[str], *, count: int) -> list[bytes]:
    """The encoded images of a split's first examples; fewer when the split is smaller.

    Args:
        files: globs of gzip TFRecords of tf.Example.
        count: how many at most, at least 1.
    """
    import tensorflow as tf

    image = {IMAGE_KEY: tf.io.FixedLenFeature([], tf.string)}
    return [tf.io.parse_single_example(record, image)[IMAGE_KEY].numpy() for record in _records(files).take(count)]


def _records(files: Sequence[str]) -> Any:
    import tensorflow as tf

    paths = sorted(path for pattern in files for path in tf.io.gfile.glob(pattern))
    return tf.data.TFRecordDataset(paths, compression_type="GZIP")
