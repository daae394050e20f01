"""The models that are served, what is asked of them and what is right; made once and kept."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from bench.claims import ROOT
from contracts.pictures import encode, pixels
from roadworthy.serving.contract import IMAGE_INPUT, IMAGE_SIGNATURE, SCORES, ModelCard
from roadworthy.serving.manifest import write_manifest

FOLDER: Final = ROOT / "runs" / "bench-serving" / "models"
FEATURES, HIDDEN, VALUES = 8, 32, 4
LABELS: Final = tuple(f"class-{number}" for number in range(10))
SEED: Final = 1
JPEG_QUALITY: Final = 90


@dataclass(frozen=True)
class Served:
    """A model on disk.

    Attributes:
        name: what servers call it.
        base: folder of its versions; there is one, 1.
        signature: which one is asked.
        input: name of the signature's input.
        given: one row of it: numbers, or the bytes of an image.
        output: name of the output that is looked at.
        right: the answer that TensorFlow gives in process, or LiteRT.
    """

    name: str
    base: Path
    signature: str
    input: str
    given: list[float] | bytes
    output: str
    right: list[float]

    @property
    def version_dir(self) -> Path:
        return self.base / "1"

    def at(self, base: Path) -> "Served":
        """The same, of other versions."""
        return replace(self, base=base)

    def is_right(self, answer: list[float], *, atol: float = 1e-3) -> bool:
        """Whether an answer for the one row is the model's; batches of another size may differ in the last digits."""
        return len(answer) == len(self.right) and np.allclose(answer, self.right, atol=atol)


def dense() -> Served:
    """Eight numbers in, two layers, four numbers out: all that it costs is the server's own work."""
    base = FOLDER / "dense"
    given = [round(float(value), 3) for value in np.random.default_rng(SEED).normal(size=FEATURES)]
    if not base.exists():
        _write_dense(base / "1")
    return _served(base, "serving_default", "x", given, "y")


def lite0(*, side: int) -> Served:
    """EfficientNet-Lite0 with its ImageNet weights under a small head, from the bytes of a JPEG to scores."""
    base = FOLDER / f"lite0_{side}"
    if not base.exists():
        from roadworthy.models.export import export_saved_model

        export_saved_model(_classifier(side), _card(side), base / "1")
    return _served(base, IMAGE_SIGNATURE, IMAGE_INPUT, photo(side), SCORES)


def lite0_int8(*, side: int) -> Served:
    """The same network as an int8 LiteRT file."""
    base = FOLDER / f"lite0_{side}_int8"
    if not base.exists():
        import tensorflow as tf

        from roadworthy.models.export import export_litert

        converter = tf.lite.TFLiteConverter.from_keras_model(_classifier(side))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [pixels(seed, height=side, width=side)[None].astype(np.float32)] for seed in range(16)
        )
        export_litert(converter.convert(), _card(side), base / "1")
        # As a push leaves it: without, the server would try the file in another process first.
        write_manifest(base / "1")
    return _served(base, IMAGE_SIGNATURE, IMAGE_INPUT, photo(side), SCORES)


def versions(count: int) -> tuple[Served, Path]:
    """The small model again, which also tells which version of it this is.

    Args:
        count: how many.

    Returns:
        What to ask, and a folder of version folders from 1 on, alike but for the number they tell.
    """
    folder = FOLDER / f"versions_{count}"
    if not folder.exists():
        from bench.serving.numbered import write_numbered

        write_numbered(_dense_network(), folder, count=count)
    asked = dense()
    return replace(asked, name="versions", base=folder), folder


def photo(side: int) -> bytes:
    """A JPEG of the size that the network sees, so that no more than decoding is measured with it."""
    return encode(pixels(SEED, height=side, width=side), "JPEG", quality=JPEG_QUALITY)


def _served(base: Path, signature: str, name: str, given: list[float] | bytes, output: str) -> Served:
    path = base / "right.json"
    if not path.exists():
        from roadworthy.serving.servables.open import open_servable

        row = np.array([given], object if isinstance(given, bytes) else np.float32)
        answer = open_servable(base / "1").predict(signature, {name: row})[output]
        path.write_text(json.dumps(answer[0].tolist()))
    return Served(base.name, base, signature, name, given, output, json.loads(path.read_text()))


def _write_dense(folder: Path) -> None:
    import keras
    import tensorflow as tf

    model = _dense_network()
    archive = keras.export.ExportArchive()
    spec = tf.TensorSpec((None, FEATURES), tf.float32, name="x")
    archive.add_endpoint("serving_default", lambda x: {"y": model(x)}, [spec])
    archive.write_out(str(folder), verbose=False)


def _dense_network() -> "keras.Model":  # noqa: F821 - Keras takes seconds to import and is rarely needed
    import keras

    keras.utils.set_random_seed(SEED)
    x = keras.Input((FEATURES,))
    hidden = keras.layers.Dense(HIDDEN, activation="relu")(x)
    return keras.Model(x, keras.layers.Dense(VALUES)(hidden))


def _classifier(side: int) -> "keras.Model":  # noqa: F821 - Keras takes seconds to import and is rarely needed
    import keras

    from roadworthy.models.classifier import build_classifier
    from roadworthy.models.config import ModelSettings

    keras.utils.set_random_seed(SEED)
    return build_classifier(ModelSettings(image_size=side), classes=len(LABELS))


def _card(side: int) -> ModelCard:
    return ModelCard(labels=LABELS, image_height=side, image_width=side)
