"""What a Beam worker does with a shard of files: it asks the model, and writes the answers down."""

import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
import numpy as np
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from roadworthy.components.ingest.shared_folder import make_folder
from roadworthy.pipeline.bulk.ask import Answer
from roadworthy.pipeline.bulk.record import Format
from roadworthy.serving.contract import IMAGE_INPUT, IMAGE_SIGNATURE, LABEL, SCORES
from roadworthy.serving.servables.base import Servable
from roadworthy.serving.servables.open import open_servable
from roadworthy.serving.status import RequestError
from roadworthy.serving.tfrecord import read_records

# `(key, (path, …))`: built-in types only, which every Beam coder takes; paths as bytes, since not all are UTF-8.
Shard = tuple[str, tuple[bytes, ...]]

_FILES_A_REQUEST: Final = 16
_FORMAT: Final = Format("json", is_classifier=True)


@dataclass(frozen=True)
class Places:
    """What lies where in a batch's folder, on this machine or in a bucket."""

    folder: str

    @property
    def model(self) -> str:
        """The version folder, packed."""
        return f"{self.folder}/model.zip"

    def files(self, key: str) -> str:
        """The contents of a shard's files, TFRecords."""
        return f"{self.folder}/files/{key}.tfrecord"

    def answers(self, key: str) -> str:
        """A shard's answers, JSON lines; whole or not there."""
        return f"{self.folder}/answers/{key}.jsonl"

    def create(self, path: str) -> Any:
        """Opens a file to write, as bytes."""
        make_folder(path.rpartition("/")[0])
        return FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED)

    def read_answers(self, key: str) -> Iterator[Answer]:
        """The answers of a shard."""
        with FileSystems.open(self.answers(key), compression_type=CompressionTypes.UNCOMPRESSED) as lines:
            for line in lines:
                fields = json.loads(line)
                yield Answer(fields.pop("file"), error=fields.pop("error", None), fields=fields)

    def write_answers(self, key: str, answers: list[Answer]) -> None:
        """Writes the answers of a shard, aside and renamed."""
        aside = f"{self.folder}/unfinished/{uuid.uuid4().hex}"
        with self.create(aside) as file:
            file.write("".join(map(_FORMAT.line, answers)).encode())
        make_folder(self.answers(key).rpartition("/")[0])
        FileSystems.rename([aside], [self.answers(key)])


class AnswerShard(beam.DoFn):
    """From a `Shard` to a file of answers; a shard may be answered twice, or again after its worker was killed."""

    def __init__(self, model: str, places: Places, *, is_remote: bool) -> None:
        """Describes the work; nothing is read or written yet.

        Args:
            model: version folder, or that folder packed where the workers are elsewhere.
            places: the batch's folder.
            is_remote: whether the workers see no file of the machine that asks.
        """
        self._model, self._places, self._is_remote = model, places, is_remote

    def setup(self) -> None:
        """Opens the model, once a worker."""
        self._scratch = Path(tempfile.mkdtemp(prefix="roadworthy-batch-"))
        folder = Path(self._model)
        if self._is_remote:
            folder = self._scratch / "model"
            shutil.unpack_archive(_fetch(self._model, self._scratch / "model.zip"), folder)
        self._servable: Servable = open_servable(folder)

    def process(self, element: Shard) -> Iterator[str]:
        """Asks about every file of a shard; a few are in memory at once."""
        key, files = element
        contents, answers = self._contents(key, files), []
        while chunk := list(islice(contents, _FILES_A_REQUEST)):
            unread = [Answer(name, error=read) for name, read in chunk if isinstance(read, str)]
            asked = [(name, read) for name, read in chunk if isinstance(read, bytes)]
            answered = {answer.file: answer for answer in [*unread, *(self._ask(asked) if asked else [])]}
            answers += [answered[name] for name, _ in chunk]
        self._places.write_answers(key, answers)
        yield key

    def teardown(self) -> None:
        """Frees the model."""
        self._servable.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _contents(self, key: str, files: tuple[bytes, ...]) -> Iterator[tuple[str, bytes | str]]:
        """Every file's path with its bytes, or with what is wrong."""
        paths = [os.fsdecode(file) for file in files]
        if self._is_remote:
            packed = _fetch(self._places.files(key), self._scratch / "files.tfrecord")
            yield from zip(paths, read_records(packed), strict=True)
            return
        for path in paths:
            try:
                yield path, Path(path).read_bytes()
            except OSError as error:
                yield path, f"must be a readable file. Received: {error.strerror}"

    def _ask(self, files: list[tuple[str, bytes]]) -> list[Answer]:
        images = np.array([content for _, content in files], dtype=object)
        try:
            given = self._servable.predict(IMAGE_SIGNATURE, {IMAGE_INPUT: images}, [SCORES, LABEL])
        except RequestError as error:
            if len(files) > 1:  # alone, each tells whether it was this one
                return [answer for file in files for answer in self._ask([file])]
            return [Answer(files[0][0], error=str(error))]
        return [
            Answer(name, {"label": label.decode(), "score": round(float(scores.max()), 6)})
            for (name, _), label, scores in zip(files, given[LABEL], given[SCORES], strict=True)
        ]


def _fetch(uri: str, target: Path) -> Path:
    with FileSystems.open(uri, compression_type=CompressionTypes.UNCOMPRESSED) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file)
    return target
