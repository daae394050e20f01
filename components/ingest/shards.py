"""The parts that images are ingested in: the same files come of them whoever writes them, and however often.

Beam's own sinks write a file a bundle, so that what is in which file, and in which order, would depend on the runner
and on how many workers it has.
"""

import gzip
import json
import os
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Final

import apache_beam as beam
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from roadworthy.components.ingest.bucket import read_image
from roadworthy.components.ingest.examples import example_of, serialized
from roadworthy.components.ingest.scan import ImageFile
from roadworthy.components.ingest.shared_folder import make_folder
from roadworthy.components.ingest.splits import split_index
from roadworthy.serving.errors import DataError
from roadworthy.serving.tfrecord import frame

RECORD_PREFIX: Final = "data_tfrecord"
UNFINISHED_FOLDER: Final = ".unfinished"

# Large enough that a file of each split is worth opening, small enough that a few processes get equal work.
SHARD_IMAGES: Final = 256
SHARD_BYTES: Final = 32_000_000

# `(number, ((path, label index), …))`: built-in types only, which every Beam coder takes.
Shard = tuple[int, tuple[tuple[str, int], ...]]


def divide(files: list[ImageFile]) -> list[Shard]:
    """Divides files into shards, in the order given, going by their number and size.

    Args:
        files: those to open.
    """
    parts: list[list[ImageFile]] = []
    size_bytes = 0
    for file in files:
        if not parts or len(parts[-1]) == SHARD_IMAGES or size_bytes + file.size_bytes > SHARD_BYTES:
            parts.append([])
            size_bytes = 0
        parts[-1].append(file)
        size_bytes += file.size_bytes
    return [(number, tuple((file.path, file.label) for file in part)) for number, part in enumerate(parts)]


class WriteShard(beam.DoFn):
    """From a `Shard` to a TFRecord file in every split, and to lines of JSON that say what was found.

    A file is written aside and renamed when it is whole, so a shard may be written twice, or again after its worker
    was killed.
    """

    def __init__(self, root: str, labels: tuple[str, ...], *, shares: Mapping[str, int], uri: str, shards: int) -> None:
        """Describes the work; nothing is read or written yet.

        Args:
            root: the data folder.
            labels: names of the classes, by label index.
            shares: hash buckets of each split.
            uri: root of the Examples artifact.
            shards: how many there are.
        """
        self._root = root
        self._labels = labels
        self._shares = dict(shares)
        self._uri = uri
        self._shards = shards

    def process(self, element: Shard) -> Iterator[str]:
        """Reads every file, whole, and decodes it; at most one is in memory."""
        number, files = element
        aside = os.path.join(self._uri, UNFINISHED_FOLDER, uuid.uuid4().hex)
        counts: Counter[tuple[str, str]] = Counter()
        with ExitStack() as stack:
            make_folder(aside)
            sinks = {split: stack.enter_context(_create(os.path.join(aside, split))) for split in self._shares}
            for path, label in files:
                try:
                    split, record = self._record(path, label)
                except (DataError, OSError) as error:
                    yield json.dumps({"bad": [path, _one_line(error)]})
                    continue
                sinks[split].write(frame(record))
                counts[split, self._labels[label]] += 1
        for split in self._shares:
            self._finish(os.path.join(aside, split), split, number)
        for split_and_class, count in counts.items():
            yield json.dumps({"class": split_and_class, "count": count})

    def _record(self, path: str, label: int) -> tuple[str, bytes]:
        data = read_image(self._root, path)
        example = example_of(data, path=path, label=label, label_text=self._labels[label])
        return list(self._shares)[split_index(data, list(self._shares.values()))], serialized(example)

    def _finish(self, written: str, split: str, number: int) -> None:
        folder = os.path.join(self._uri, f"Split-{split}")
        make_folder(folder)
        FileSystems.rename([written], [os.path.join(folder, f"{RECORD_PREFIX}-{number:05}-of-{self._shards:05}.gz")])


@contextmanager
def _create(path: str) -> Iterator[gzip.GzipFile]:
    """A gzip file that is not compressed: to find out that a JPEG gets no smaller takes as long as decoding it."""
    with (
        FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file,
        gzip.GzipFile("", "wb", compresslevel=0, fileobj=file, mtime=0) as packed,
    ):
        yield packed


def _one_line(error: Exception) -> str:
    reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    return " ".join(reason.split())
