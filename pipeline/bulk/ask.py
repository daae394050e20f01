"""Files to a model server in batches, several at a time, answers back in order."""

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from roadworthy.serving.client import Client, InvalidRequest, UnreadableAnswer
from roadworthy.serving.contract import LABEL, SCORES
from roadworthy.serving.json_tensors import write_tensor

if TYPE_CHECKING:
    from roadworthy.serving.vertex.client import VertexClient

# Codes that may be the fault of one file of a batch; any other is the same for every file.
_OF_A_FILE: Final = ("INVALID_ARGUMENT", "OUT_OF_RANGE")


@dataclass(frozen=True)
class Question:
    """What is asked of a model about every file.

    Attributes:
        model: name of the model.
        signature: name of a signature that takes one string, the bytes of a file.
        version: version of the model.
        label: the version by its label; neither is the latest.
    """

    model: str
    signature: str
    version: int | None = None
    label: str | None = None


@dataclass(frozen=True)
class Answer:
    """What became of one file: fields for its record, or the error."""

    file: str
    fields: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


class Asker:
    """Asks one question about files; what the model takes and gives is looked up once, before any file is read."""

    def __init__(self, client: "Client | VertexClient", question: Question) -> None:
        """Looks the signature up.

        Raises:
            AskError: the server can't be asked, or the model has no such signature.
            InvalidRequest: the signature takes something other than one string.
        """
        self._client, self._question = client, question
        signatures = client.metadata(question.model, version=question.version, label=question.label)
        found = signatures.get(question.signature)
        if found is None or [spec.dtype for spec in found.inputs.values()] != ["string"]:
            taken = "none of that name" if found is None else f"inputs {sorted(found.inputs)}"
            raise InvalidRequest(
                f"--signature must be one that takes one string, the bytes of a file; {question.model} has "
                f"{', '.join(signatures)}. Received: {question.signature}, {taken}.",
                code="FAILED_PRECONDITION",
            )
        self._input = next(iter(found.inputs))
        self.is_classifier = {SCORES, LABEL} <= found.outputs.keys()

    def ask_all(self, files: Iterable[str], *, batch: int, concurrency: int) -> Iterator[Answer]:
        """Answers in the order of the files; never more than a few batches are in memory.

        Args:
            files: paths.
            batch: files a request, >= 1.
            concurrency: requests at a time, >= 1.

        Raises:
            AskError: a fault that is not one file's, such as a server that went away.
        """
        left = iter(files)
        with ThreadPoolExecutor(concurrency) as pool:
            window: deque[Future[list[Answer]]] = deque()
            try:
                while chunk := list(islice(left, batch)):
                    window.append(pool.submit(self._ask, chunk))
                    # More than are asked at a time, so that a slow one doesn't leave the others idle.
                    while window and (len(window) > 2 * concurrency or window[0].done()):
                        yield from window.popleft().result()
                while window:
                    yield from window.popleft().result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, files: list[str]) -> list[Answer]:
        contents: dict[str, bytes] = {}
        failed: dict[str, Answer] = {}
        for file in files:
            try:
                contents[file] = Path(file).read_bytes()
            except OSError as error:
                failed[file] = Answer(file, error=f"must be a readable file. Received: {error.strerror}")
        answered = {answer.file: answer for answer in self._ask_batch(contents)}
        return [failed.get(file) or answered[file] for file in files]

    def _ask_batch(self, contents: dict[str, bytes]) -> list[Answer]:
        if not contents:
            return []
        with contextlib.suppress(_OneOfSeveral):
            return self._ask_once(contents)
        # One of them was refused; alone, each tells whether it was this one.
        return [answer for file, content in contents.items() for answer in self._ask_once({file: content})]

    def _ask_once(self, contents: dict[str, bytes]) -> list[Answer]:
        files = list(contents)
        try:
            outputs = self._client.predict(
                self._question.model,
                {self._input: list(contents.values())},
                signature=self._question.signature,
                outputs=(SCORES, LABEL) if self.is_classifier else (),
                version=self._question.version,
                label=self._question.label,
            )
        except InvalidRequest as error:
            if error.code not in _OF_A_FILE:
                raise
            if len(files) > 1:
                raise _OneOfSeveral from error
            return [Answer(files[0], error=str(error))]
        if any(array.shape[:1] != (len(files),) for array in outputs.values()):
            shapes = {name: array.shape for name, array in outputs.items()}
            raise UnreadableAnswer(f"Every output must have a row a file, here {len(files)}. Received: {shapes}.")
        return [Answer(file, self._fields(outputs, row)) for row, file in enumerate(files)]

    def _fields(self, outputs: dict[str, np.ndarray], row: int) -> dict[str, Any]:
        if self.is_classifier:
            return {"label": outputs[LABEL][row].decode(), "score": round(float(outputs[SCORES][row].max()), 6)}
        return {"outputs": {name: write_tensor(array[row : row + 1], name)[0] for name, array in outputs.items()}}


class _OneOfSeveral(Exception):
    """A batch was refused for the sake of one of its files."""
