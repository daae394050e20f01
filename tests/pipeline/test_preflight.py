"""A wrong trained model is refused before anything is read or written: what was required, received, and what to do."""

from pathlib import Path

import keras
import pytest

from contracts.recipe import LABELS, SIDE, tiles, tiny_classifier
from roadworthy.pipeline.config import RunConfig
from roadworthy.pipeline.preflight import check_inputs, check_trained
from roadworthy.serving.errors import ModelError

layers = keras.layers
PRUNED = {"name": "pruned", "steps": [{"prune": {}}]}
INT8 = {"name": "int8", "steps": [{"quantize": {}}]}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for label, encoded in tiles().items():
        (folder / label).mkdir()
        for number, image in enumerate(encoded[:4]):
            (folder / label / f"{number}.png").write_bytes(image)
    return folder


def checked(model: keras.Model, photos: Path, folder: Path, recipe: dict = INT8) -> None:
    model.save(folder / "model.keras")
    config = RunConfig.model_validate(
        {
            "name": "compressed",
            "output": folder / "out",
            "trained": {"path": folder / "model.keras"},
            "data": {"path": photos},
            "compress": {"recipes": [recipe]},
        }
    )
    check_trained(check_inputs(config, told=str), told=str)


def headed(features, image=None) -> keras.Model:
    image = image or keras.Input((SIDE, SIDE, 3))
    pooled = layers.GlobalAveragePooling2D()(features(image))
    return keras.Model(image, layers.Dense(len(LABELS), activation="softmax")(pooled))


def two_inputs() -> keras.Model:
    return headed(layers.Add(), [keras.Input((SIDE, SIDE, 3), name=name) for name in "ab"])


def five_classes() -> keras.Model:
    return keras.Sequential([keras.Input((SIDE, SIDE, 3)), layers.Flatten(), layers.Dense(5)])


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.dense = layers.Dense(len(LABELS))

    def call(self, images):
        return self.dense(keras.ops.mean(images, axis=(1, 2)))


def subclassed() -> keras.Model:
    model = Subclassed(name="own")
    model(keras.ops.zeros((1, SIDE, SIDE, 3)))
    return model


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (two_inputs, r"model.keras: .*one input and one output. Received: 2 inputs"),
        (five_classes, r"model.keras: .*\[batch, 2\].*Received: \(None, 5\)"),
        (subclassed, r"model.keras: .*functional or Sequential.*Received: .*Subclassed.*Build it with"),
    ],
)
def test_a_model_that_is_no_classifier_of_the_data_is_refused(build, message, photos, tmp_path):
    with pytest.raises(ModelError, match=f"^trained.path: .*{message}"):
        checked(build(), photos, tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_layer_that_cannot_cross_is_refused_only_where_tf_mot_takes_the_model(photos, tmp_path):
    model = headed(layers.RMSNormalization(name="rms"))
    checked(model, photos, tmp_path)
    with pytest.raises(ModelError, match=r"^trained.path: .*/rms' can't be translated"):
        checked(model, photos, tmp_path, PRUNED)


@pytest.mark.parametrize("recipe", [INT8, PRUNED])
def test_a_model_that_can_be_compressed_passes(recipe, photos, tmp_path):
    checked(tiny_classifier(), photos, tmp_path, recipe)
