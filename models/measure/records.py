"""A split's records, read batch by batch."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from roadworthy.serving.contract import IMAGE_KEY, LABEL_INDEX_KEY
from roadworthy.serving.errors import DataError


def serialized_batches(files: Sequence[str], *, batch_size: int) -> Iterator[npt.NDArray[Any]]:
    """Reads serialized examples, object[batch] of bytes, in the order of the files.

    Args:
        files: globs of gzip TFRecords of tf.Example.
        batch_size: examples a batch, at least 1; the last one may have fewer.
    """
    for records in _records(files).batch(batch_size):
        yield records.numpy()


def read_features(files: Sequence[str], keys: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """Reads scalar features of every example, in the order of the files, and nothing else of it.

    Args:
        files: globs of gzip TFRecords of tf.Example.
        keys: features; whole numbers come as int64, strings as str.

    Raises:
        DataError: an example lacks a feature, or it is no scalar string or whole number.
    """
    import tensorflow as tf

    columns: dict[str, list[Any]] = {key: [] for key in keys}
    for record in _records(files).as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        for key, values in columns.items():
            values.append(_scalar(feature[key], key))
    return {
        key: np.array(values, dtype=np.int64 if key == LABEL_INDEX_KEY else None) for key, values in columns.items()
    }


def records_sha256(files: Sequence[str]) -> str:
    """One sum of all serialized examples in the order of the files: equal where the examples and their order are.

    Args:
        files: globs of gzip TFRecords of tf.Example.
    """
    total = hashlib.sha256()
    for record in _records(files).as_numpy_iterator():
        total.update(hashlib.sha256(record).digest())
    return total.hexdigest()


def first_images(files: Sequence[str], *, count: int) -> list[bytes]:
    """The encoded images of a split's first examples; fewer when the split is smaller.

    Args:
        files: globs of gzip TFRecords of tf.Example.
        count: how many at most, at least 1.
    """
    import tensorflow as tf

    image = {IMAGE_KEY: tf.io.FixedLenFeature([], tf.string)}
    return [tf.io.parse_single_example(record, image)[IMAGE_KEY].numpy() for record in _records(files).take(count)]


def _scalar(feature: Any, key: str) -> int | str:
    match feature.WhichOneof("kind"):
        case "int64_list" if len(feature.int64_list.value) == 1:
            return int(feature.int64_list.value[0])
        case "bytes_list" if len(feature.bytes_list.value) == 1:
            return str(feature.bytes_list.value[0].decode(errors="replace"))
    raise DataError(
        f"Every example must have one string or whole number under {key!r}. "
        f"Received: {str(feature).strip() or 'none'}. Slice by another feature."
    )


def _records(files: Sequence[str]) -> Any:
    import tensorflow as tf

    paths = sorted(path for pattern in files for path in tf.io.gfile.glob(pattern))
    return tf.data.TFRecordDataset(paths, compression_type="GZIP")
