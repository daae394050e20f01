"""The one contract every exported variant of a model keeps: signatures, tensor names, and the card beside it.

A version folder is either a SavedModel (`saved_model.pb`) or a LiteRT model (`model.tflite`). Both carry
`assets.extra/roadworthy.json`, the `ModelCard`, a folder that TF Serving ignores. Both answer:

    serving_default  examples: string[batch]     serialized tf.Example with `image/encoded`; for TFX tools
    image_bytes      image_bytes: string[batch]  the bytes of a JPEG or PNG file; for people

with the same outputs: `scores: float32[batch, classes]`, probabilities in [0, 1] in the card's label order, and
`label: string[batch]`, the label of the highest score.

A LiteRT file holds only the network: input float32[batch, height, width, channels] in [0, 255], output the scores. What
comes before it (decode, resize) and after it (label) is then the server's work, with the same results.
"""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from roadworthy.serving.errors import ServeError

EXAMPLES_SIGNATURE: Final = "serving_default"
EXAMPLES_INPUT: Final = "examples"
IMAGE_SIGNATURE: Final = "image_bytes"
IMAGE_INPUT: Final = "image_bytes"
SCORES: Final = "scores"
LABEL: Final = "label"

# tf.Example feature keys, the names of TensorFlow's own image datasets.
IMAGE_KEY: Final = "image/encoded"
LABEL_INDEX_KEY: Final = "image/class/label"
LABEL_TEXT_KEY: Final = "image/class/text"
FILENAME_KEY: Final = "image/filename"
HEIGHT_KEY: Final = "image/height"
WIDTH_KEY: Final = "image/width"

# At the root of an Examples artifact: a JSON list of label names, in which a label's place is its index.
LABELS_FILE: Final = "labels.json"

CARD_PATH: Final = "assets.extra/roadworthy.json"
LITERT_FILE: Final = "model.tflite"
SAVED_MODEL_FILE: Final = "saved_model.pb"

# Shares of red, green and blue in the grey of a coloured image (ITU-R BT.601). They sum to 1, so grey stays as it is.
LUMA: Final = (0.299, 0.587, 0.114)

# Images beyond this many pixels are refused before they are decoded.
MAX_IMAGE_PIXELS: Final = 50_000_000


_GREY: Final = 1
_RGB: Final = 3
_FEWEST_LABELS: Final = 2


@dataclass(frozen=True)
class ModelCard:
    """What a server or a measurement has to know of an exported model, beside its graph.

    A plain class, since a server that starts in under a second has no time to import pydantic.

    Attributes:
        labels: names of the classes in the order of the scores, two at least.
        image_height: in pixels.
        image_width: in pixels.
        image_channels: 3 for RGB, 1 for grey.
        variant: name of the recipe.
        task: what the model is for.
    """

    labels: tuple[str, ...]
    image_height: int
    image_width: int
    image_channels: int = _RGB
    variant: str = "parent"
    task: str = "image-classification"

    def __post_init__(self) -> None:
        """Checks every value.

        Raises:
            ValueError: naming the first that is none of its kind.
        """
        texts = isinstance(self.labels, tuple) and all(isinstance(label, str) for label in self.labels)
        rules = {
            "labels": (texts and len(self.labels) >= _FEWEST_LABELS, "two strings or more"),
            "image_height": (_is_size(self.image_height), "a whole number above zero"),
            "image_width": (_is_size(self.image_width), "a whole number above zero"),
            "image_channels": (_is_size(self.image_channels) and self.image_channels in {_GREY, _RGB}, "1 or 3"),
            "variant": (isinstance(self.variant, str), "a string"),
            "task": (isinstance(self.task, str), "a string"),
        }
        for name, (holds, kind) in rules.items():
            if not holds:
                raise ValueError(f"{name} must be {kind}, not {getattr(self, name)!r}")

    def write(self, version_dir: Path) -> None:
        """Writes the card below an exported model's folder, replacing any that is there."""
        path = version_dir / CARD_PATH
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, version_dir: Path) -> "ModelCard":
        """Reads the card of an exported model.

        Raises:
            ServeError: the card is missing or not one; the message names the file.
        """
        path = version_dir / CARD_PATH
        try:
            return cls(**_card_fields(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError) as error:
            raise ServeError(f"{path} must be a model card written by Roadworthy. Received: {error}") from error


def _card_fields(written: object) -> dict[str, Any]:
    """The values of a card as its file has them.

    Raises:
        ValueError: it is no object, or lacks a field, or has one too many.
    """
    names = {field.name for field in fields(ModelCard)}
    needed = {"labels", "image_height", "image_width"}
    if not isinstance(written, dict) or not needed <= set(written) <= names:
        received = sorted(written) if isinstance(written, dict) else written
        raise ValueError(f"must be an object with {sorted(needed)} and of {sorted(names)} no others, not {received}")
    labels = written["labels"]
    return {**written, "labels": tuple(labels) if isinstance(labels, list) else labels}


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_litert(content: bytes) -> bool:
    """Whether a file's bytes begin as a LiteRT model's; the rest of it may still be damaged."""
    return content[4:8] == b"TFL3"
