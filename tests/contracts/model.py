"""What every exported variant of a model must do, whatever its format."""

from pathlib import Path

import numpy as np

from roadworthy.serving.contract import (
    EXAMPLES_INPUT,
    EXAMPLES_SIGNATURE,
    IMAGE_INPUT,
    IMAGE_KEY,
    IMAGE_SIGNATURE,
    LABEL,
    SCORES,
    ModelCard,
)
from roadworthy.serving.protos import Example
from roadworthy.serving.servables.open import open_servable


def check_model(version_dir: Path, image_bytes: bytes) -> None:
    """Asks a version folder over both of the contract's signatures about one image, alone and twice in a batch.

    Args:
        version_dir: a SavedModel or LiteRT version folder.
        image_bytes: a JPEG or PNG file.
    """
    card = ModelCard.read(version_dir)
    servable = open_servable(version_dir)
    try:
        for signature, name, row in (
            (IMAGE_SIGNATURE, IMAGE_INPUT, image_bytes),
            (EXAMPLES_SIGNATURE, EXAMPLES_INPUT, example_of(image_bytes)),
        ):
            assert set(servable.signatures[signature].inputs) == {name}
            assert set(servable.signatures[signature].outputs) == {SCORES, LABEL}
            one = servable.predict(signature, {name: np.array([row], dtype=object)})
            two = servable.predict(signature, {name: np.array([row, row], dtype=object)})
            _check_answer(one, card, rows=1)
            _check_answer(two, card, rows=2)
            np.testing.assert_allclose(two[SCORES], np.repeat(one[SCORES], 2, axis=0), atol=1e-5)
    finally:
        servable.close()


def example_of(image_bytes: bytes) -> bytes:
    """A serialized tf.Example with nothing but the image."""
    example = Example()
    example.features.feature[IMAGE_KEY].bytes_list.value.append(image_bytes)
    return bytes(example.SerializeToString())


def _check_answer(answer: dict[str, np.ndarray], card: ModelCard, *, rows: int) -> None:
    scores, labels = answer[SCORES], answer[LABEL]
    assert scores.dtype == np.float32
    assert scores.shape == (rows, len(card.labels))
    assert (scores >= 0).all()
    # int8 scores are steps of 1/256, so their sum can be off by half a step a class.
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=max(1e-3, len(card.labels) / 512))
    assert labels.tolist() == [card.labels[index].encode() for index in scores.argmax(axis=1)]
