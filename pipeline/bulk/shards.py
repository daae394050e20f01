"""Files to a model in shards, by Beam on this machine or wherever its options say; an answered shard stays answered.

TFX's BulkInferrer takes SavedModels alone, ends at the first file that is no image, and begins anew each time.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from roadworthy.pipeline.beam.lost import lost_workers_named
from roadworthy.pipeline.bulk.answer_shard import AnswerShard, Places, Shard
from roadworthy.pipeline.bulk.ask import Answer
from roadworthy.serving.contract import IMAGE_SIGNATURE
from roadworthy.serving.errors import ServeError
from roadworthy.serving.manifest import digest
from roadworthy.serving.servables.open import open_servable
from roadworthy.serving.tfrecord import frame

SHARD_FILES: Final = 256
_KEY_DIGITS: Final = 24


@dataclass(frozen=True)
class Batch:
    """One question about many files.

    Attributes:
        model: version folder of a SavedModel or a LiteRT model that Roadworthy exported.
        files: paths of JPEG or PNG files.
    """

    model: Path
    files: tuple[str, ...]

    def check(self) -> None:
        """Opens the model here, since what Beam's workers find wrong comes back as a traceback.

        Raises:
            ServeError: the folder holds no model, a damaged one, or one of another maker.
        """
        servable = open_servable(self.model)
        try:
            if servable.card is None or IMAGE_SIGNATURE not in servable.signatures:
                raise ServeError(
                    f"{self.model} must be a version that Roadworthy exported, with its card and the signature "
                    f"{IMAGE_SIGNATURE}. Received: {', '.join(sorted(servable.signatures))}."
                )
        finally:
            servable.close()

    def shards(self) -> Iterator[Shard]:
        """The files in parts, each with a key that another model or a file that was changed makes another one."""
        model, left = digest(self.model), iter(self.files)
        while chunk := list(islice(left, SHARD_FILES)):
            told = json.dumps([model, *(_told(file) for file in chunk)])
            key = hashlib.sha256(told.encode()).hexdigest()[:_KEY_DIGITS]
            yield key, tuple(os.fsencode(file) for file in chunk)

    @property
    def key(self) -> str:
        """A name for the whole."""
        return hashlib.sha256("".join(key for key, _ in self.shards()).encode()).hexdigest()[:_KEY_DIGITS]


def answer_batch(batch: Batch, *, folder: str, is_remote: bool, beam_arguments: Sequence[str]) -> Iterator[Answer]:
    """Classifies files.

    Args:
        batch: the question.
        folder: where answers are kept, shard by shard, till `forget_batch`.
        is_remote: whether the workers see no file of this machine, so that model and files go to the folder as well.
        beam_arguments: Beam's pipeline options.

    Yields:
        An answer a file, in the order of the files.

    Raises:
        ServeError: as `Batch.check`.
        WorkerLost: a worker's process is gone; the same call asks the shards that have no answers.
    """
    batch.check()
    places, shards = Places(folder), list(batch.shards())
    left = [shard for shard in shards if not FileSystems.exists(places.answers(shard[0]))]
    if left:
        model = _upload(batch, left, places) if is_remote else str(batch.model.resolve())
        with lost_workers_named(), beam.Pipeline(options=PipelineOptions(list(beam_arguments))) as pipeline:
            _ = (
                pipeline
                | "ListShards" >> beam.Create(left)
                | "SpreadShards" >> beam.Reshuffle()
                | "AnswerShards" >> beam.ParDo(AnswerShard(model, places, is_remote=is_remote))
            )
    return (answer for key, _ in shards for answer in places.read_answers(key))


def forget_batch(folder: str) -> None:
    """Removes what `answer_batch` kept."""
    if "://" not in folder:
        shutil.rmtree(folder, ignore_errors=True)
        return
    (found,) = FileSystems.match([f"{folder}/**"])
    FileSystems.delete([file.path for file in found.metadata_list])


def _told(file: str) -> list[str | int]:
    """What of a file makes a shard another one; one that can't be looked at has its answer from the worker."""
    name = file.encode(errors="surrogateescape").hex()
    try:
        found = os.stat(file)
    except OSError:
        return [name]
    return [name, found.st_size, found.st_mtime_ns]


def _upload(batch: Batch, shards: Sequence[Shard], places: Places) -> str:
    with tempfile.TemporaryDirectory() as scratch:
        archive = shutil.make_archive(f"{scratch}/model", "zip", batch.model)
        with open(archive, "rb") as source, places.create(places.model) as target:
            shutil.copyfileobj(source, target)
    for key, files in shards:
        with places.create(places.files(key)) as target:
            for file in files:
                target.write(frame(_content(file)))
    return places.model


def _content(file: bytes) -> bytes:
    try:
        return Path(os.fsdecode(file)).read_bytes()
    except OSError:
        return b""  # which is no image, as its answer will say
