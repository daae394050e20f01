"""The Beam steps of ingesting: read and check each image file, and make it a `tf.Example`."""

import json
from collections.abc import Iterator
from typing import Final

import apache_beam as beam
import tensorflow as tf

from roadworthy.components.ingest.bucket import read_image
from roadworthy.components.ingest.findings import BadImage
from roadworthy.components.ingest.splits import split_index
from roadworthy.serving.contract import FILENAME_KEY, HEIGHT_KEY, IMAGE_KEY, LABEL_INDEX_KEY, LABEL_TEXT_KEY, WIDTH_KEY
from roadworthy.serving.errors import DataError
from roadworthy.serving.images import decode_image, inspect_image

FORMAT_KEY: Final = "image/format"
BAD: Final = "bad"


class ReadImages(beam.DoFn):
    """From `(path, label index)` to `tf.Example`, with images that fail to decode in the output tagged `bad`."""

    def __init__(self, root: str, labels: tuple[str, ...]) -> None:
        self._root = root
        self._labels = labels

    def process(self, element: tuple[str, int]) -> Iterator[tf.train.Example | beam.pvalue.TaggedOutput]:
        """Reads one file, whole, and decodes it, since a broken image often has a good header."""
        path, label = element
        try:
            yield example_of(read_image(self._root, path), path=path, label=label, label_text=self._labels[label])
        except (DataError, OSError) as error:
            yield beam.pvalue.TaggedOutput(BAD, BadImage(path, _one_line(error)))


def example_of(data: bytes, *, path: str, label: int, label_text: str) -> tf.train.Example:
    """Makes the `tf.Example` of one image; its bytes are kept as they are in the file.

    Args:
        data: content of a JPEG or PNG file.
        path: where it was, relative to the data folder.
        label: index of its class.
        label_text: name of its class.

    Raises:
        DataError: the bytes are not a JPEG or PNG image that can be decoded; the message is the reason.
    """
    image_format, width, height = inspect_image(data)
    decode_image(data)
    values: dict[str, bytes | int] = {
        IMAGE_KEY: data,
        LABEL_INDEX_KEY: label,
        LABEL_TEXT_KEY: label_text.encode(),
        FILENAME_KEY: path.encode(),
        FORMAT_KEY: image_format.lower().encode(),
        HEIGHT_KEY: height,
        WIDTH_KEY: width,
    }
    return tf.train.Example(features=tf.train.Features(feature={key: _feature(value) for key, value in values.items()}))


def image_bytes(example: tf.train.Example) -> bytes:
    """The encoded image in an example."""
    return bytes(example.features.feature[IMAGE_KEY].bytes_list.value[0])


def serialized(example: tf.train.Example) -> bytes:
    """An example as the bytes of a record."""
    return bytes(example.SerializeToString(deterministic=True))


def partition(example: tf.train.Example, num_partitions: int, shares: list[int]) -> int:
    """The split an example falls in, for `beam.Partition`."""
    del num_partitions  # Beam passes it; it is the length of shares.
    return split_index(image_bytes(example), shares)


def split_and_label(example: tf.train.Example, split: str) -> tuple[str, str]:
    """The split of an example and the name of its class."""
    return split, example.features.feature[LABEL_TEXT_KEY].bytes_list.value[0].decode()


def bad_image_line(bad: BadImage) -> str:
    """One bad image as a line of JSON."""
    return json.dumps({"bad": [bad.path, bad.reason]})


def count_line(counted: tuple[tuple[str, str], int]) -> str:
    """How many images of a class a split has, as a line of JSON."""
    split_and_class, count = counted
    return json.dumps({"class": split_and_class, "count": count})


def _feature(value: bytes | int) -> tf.train.Feature:
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def _one_line(error: Exception) -> str:
    reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    return " ".join(reason.split())
