"""Asks a LiteRT file and the model it was made from the same and compares their answers."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from roadworthy.serving.servables.litert_borders import dequantize, quantize


@dataclass(frozen=True)
class Agreement:
    """How two models' answers to the same images compare.

    Attributes:
        images: how many there were.
        same_label: for how many the highest score was of the same class.
        mean: absolute difference of the scores, over all of them.
        largest: of these differences.
    """

    images: int
    same_label: int
    mean: float
    largest: float

    def __str__(self) -> str:
        return (
            f"the same label for {self.same_label} of {self.images} images; "
            f"scores differ by {self.mean:.4f} on average and {self.largest:.4f} at most"
        )


def compare(here: np.ndarray, there: np.ndarray) -> Agreement:
    """Compares scores of the same images, float32 [images, classes] each."""
    differences = np.abs(here - there)
    same = int(np.count_nonzero(here.argmax(axis=1) == there.argmax(axis=1)))
    return Agreement(len(here), same, float(differences.mean()), float(differences.max()))


def ask(flatbuffer: bytes, images: np.ndarray) -> np.ndarray:
    """The scores a LiteRT model gives, float32 [images, classes].

    Args:
        flatbuffer: the model, with borders of float32, int8 or uint8.
        images: float32 [images, height, width, channels] in [0, 255].
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=flatbuffer)
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    return np.stack([_ask_one(interpreter, taken, given, image) for image in images])


def _ask_one(interpreter: Any, taken: dict[str, Any], given: dict[str, Any], image: np.ndarray) -> np.ndarray:
    interpreter.set_tensor(taken["index"], quantize(image[None], taken))
    interpreter.invoke()
    scores: np.ndarray = dequantize(interpreter.get_tensor(given["index"]), given)[0]
    return scores
