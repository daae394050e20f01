"""LiteRT models without TensorFlow: the interpreter runs the network, the rest of the signatures is done here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from roadworthy.serving.contract import (
    EXAMPLES_INPUT,
    EXAMPLES_SIGNATURE,
    IMAGE_INPUT,
    IMAGE_SIGNATURE,
    LABEL,
    LITERT_FILE,
    SCORES,
    ModelCard,
)
from roadworthy.serving.errors import ServeError
from roadworthy.serving.images import DEFAULT_LIMITS, ImageLimits, resize, to_grey
from roadworthy.serving.servables.base import Signature, TensorSpec, check_inputs, find_signature
from roadworthy.serving.servables.blas import one_blas_thread
from roadworthy.serving.servables.image_requests import check_headers, decode, encoded_images
from roadworthy.serving.servables.interpreters import InterpreterPool
from roadworthy.serving.servables.litert_borders import dequantize, has_numbers, quantize


class LiteRTServable:
    """An image classifier in a `.tflite` file that answers as its SavedModel would; a `Servable`."""

    def __init__(
        self,
        version_dir: Path,
        *,
        threads: int | None = None,
        at_once: int | None = None,
        limits: ImageLimits = DEFAULT_LIMITS,
    ) -> None:
        """Loads the model.

        Args:
            version_dir: folder with `model.tflite` and the card.
            threads: threads an answer may use; None is all cores for a request that is alone, else one.
            at_once: images that may be worked on at once, >= 1; None is one a core.
            limits: the largest images to decode.

        Raises:
            ServeError: the file or the card is missing or broken, or they don't fit each other.
        """
        one_blas_thread()
        path = version_dir / LITERT_FILE
        self.card = ModelCard.read(version_dir)
        self._limits = limits
        self._pool = InterpreterPool(path, threads=threads, at_once=at_once)
        with self._pool.use() as interpreter:
            self._input = _only(interpreter.get_input_details(), path)
            self._output = _only(interpreter.get_output_details(), path)
        _check_borders(self._input, self._output, self.card, path)
        self._signatures = _contract_signatures(len(self.card.labels))
        self._labels = np.array([label.encode() for label in self.card.labels], dtype=object)

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """The contract's two signatures."""
        return self._signatures

    @property
    def at_once(self) -> int:
        """How many requests it works on at a time."""
        return self._pool.at_once

    def predict(
        self, signature: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Answers one request; see `Servable.predict`."""
        check_inputs(find_signature(self._signatures, signature), inputs)
        images = encoded_images(signature, inputs)
        if len(images) > 1:
            check_headers(images, self._limits)
        scores = np.stack(self._pool.map(self._scores, images))
        answer = {SCORES: scores, LABEL: self._labels[scores.argmax(axis=1)]}
        return answer if outputs is None else {name: answer[name] for name in outputs}

    def batch_sizes(self, signature: str) -> Sequence[int]:
        """None: images are not run in batches; see `Servable.batch_sizes`."""
        return ()

    def close(self) -> None:
        """Frees the interpreters."""
        self._pool.close()

    def _scores(self, index: int, image: bytes) -> np.ndarray:
        """Scores of the image at an index of a request, float32[classes].

        It is decoded with the interpreter in hand: so there are never more decoded images in memory than interpreters,
        nor more threads at work than cores.
        """
        with self._pool.use() as interpreter:
            pixels = resize(
                decode(image, index=index, limits=self._limits), self.card.image_height, self.card.image_width
            )
            if self.card.image_channels == 1:
                pixels = to_grey(pixels)
            interpreter.set_tensor(self._input["index"], quantize(pixels[None], self._input))
            interpreter.invoke()
            return dequantize(interpreter.get_tensor(self._output["index"])[0], self._output)


def _only(details: list[dict[str, Any]], path: Path) -> dict[str, Any]:
    if len(details) != 1:
        names = [detail["name"] for detail in details]
        raise ServeError(f"{path} must have one input and one output. Received: {names}.")
    return details[0]


def _check_borders(taken: dict[str, Any], given: dict[str, Any], card: ModelCard, path: Path) -> None:
    for detail, shape in (
        (taken, [1, card.image_height, card.image_width, card.image_channels]),
        (given, [1, len(card.labels)]),
    ):
        if not has_numbers(detail) or detail["shape"].tolist() != shape:
            raise ServeError(
                f"{path}: {detail['name']} must be float32{shape} for its card, or int8 or uint8 with one scale. "
                f"Received: {np.dtype(detail['dtype'])}{detail['shape'].tolist()} "
                f"with {len(detail['quantization_parameters']['scales'])} scales."
            )


def _contract_signatures(classes: int) -> dict[str, Signature]:
    outputs = {SCORES: TensorSpec(SCORES, "float32", (None, classes)), LABEL: TensorSpec(LABEL, "string", (None,))}
    return {
        signature: Signature({name: TensorSpec(name, "string", (None,))}, outputs)
        for signature, name in ((EXAMPLES_SIGNATURE, EXAMPLES_INPUT), (IMAGE_SIGNATURE, IMAGE_INPUT))
    }
