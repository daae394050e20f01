"""Exported models answer as the model did, whoever reads them; files that would run code are refused."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from roadworthy.models.export import export_litert, export_saved_model, load_keras, save_keras
from roadworthy.models.images import decode_and_resize_batch
from roadworthy.serving.contract import (
    EXAMPLES_INPUT,
    EXAMPLES_SIGNATURE,
    IMAGE_INPUT,
    IMAGE_KEY,
    IMAGE_SIGNATURE,
    LABEL,
    LITERT_FILE,
    SCORES,
    ModelCard,
)
from roadworthy.serving.errors import ModelError

SIDE = 16
CARD = ModelCard(labels=("bag", "coat", "shirt"), image_height=SIDE, image_width=SIDE)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A network whose answer would differ in training: batch normalisation and dropout."""
    keras.utils.set_random_seed(1)
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = keras.layers.Conv2D(4, 3, strides=2)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(0.5)(x)
    return keras.Model(image, keras.layers.Dense(3, activation="softmax", name=SCORES)(x))


@pytest.fixture(scope="module")
def files(photo: np.ndarray) -> list[bytes]:
    tiles = [photo[100 : 120 + 9 * k, 50 * k : 50 * k + 40] for k in range(3)]
    return [tf.io.encode_png(tile).numpy() for tile in tiles]


@pytest.fixture(scope="module", params=[False, True], ids=["with variables", "frozen"])
def version_dir(request: pytest.FixtureRequest, model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "1"
    export_saved_model(model, CARD, folder, frozen=request.param)
    return folder


def examples(files: list[bytes]) -> list[bytes]:
    return [
        tf.train.Example(
            features=tf.train.Features(
                feature={IMAGE_KEY: tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))}
            )
        ).SerializeToString()
        for data in files
    ]


@pytest.mark.parametrize("count", [1, 3])
def test_both_signatures_answer_as_the_model_does(
    version_dir: Path, model: keras.Model, files: list[bytes], count: int
) -> None:
    files = files[:count]
    expected = model(decode_and_resize_batch(tf.constant(files), height=SIDE, width=SIDE), training=False).numpy()
    loaded = tf.saved_model.load(str(version_dir))
    by_examples = loaded.signatures[EXAMPLES_SIGNATURE](**{EXAMPLES_INPUT: tf.constant(examples(files))})
    by_image = loaded.signatures[IMAGE_SIGNATURE](**{IMAGE_INPUT: tf.constant(files)})
    for answer in (by_examples, by_image):
        assert_allclose(answer[SCORES], expected, atol=1e-6)
        assert [label.decode() for label in answer[LABEL].numpy()] == [CARD.labels[k] for k in expected.argmax(-1)]


@pytest.mark.parametrize("version_dir", [False], indirect=True)
def test_an_exported_model_tracks_every_variable(version_dir: Path, model: keras.Model) -> None:
    loaded = tf.saved_model.load(str(version_dir))
    stored = {variable.name: variable for variable in loaded.signatures[IMAGE_SIGNATURE].variables}
    assert len(stored) == len(model.variables) - sum("seed" in variable.path for variable in model.variables)


@pytest.mark.parametrize("version_dir", [False], indirect=True)
def test_each_weight_is_stored_once(version_dir: Path, model: keras.Model) -> None:
    shapes = tf.train.load_checkpoint(str(version_dir / "variables" / "variables")).get_variable_to_shape_map()
    stored = sum(int(np.prod(shape)) for name, shape in shapes.items() if "OBJECT_GRAPH" not in name)
    assert stored == model.count_params()


def test_an_exported_model_carries_its_card_and_leaves_nothing_beside_it(version_dir: Path) -> None:
    assert ModelCard.read(version_dir) == CARD
    assert [entry.name for entry in version_dir.parent.iterdir()] == ["1"]


def test_an_export_replaces_the_one_before(model: keras.Model, tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "stale").touch()
    export_saved_model(model, CARD, tmp_path / "1")
    assert not (tmp_path / "1" / "stale").exists()


def test_a_card_of_another_shape_is_refused_and_nothing_is_written(model: keras.Model, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"card's shapes .*\(None, 16, 16, 3\).*Received"):
        export_saved_model(model, replace(CARD, labels=("one", "two")), tmp_path / "1")
    assert not list(tmp_path.iterdir())


def test_an_export_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        export_litert("not bytes", CARD, tmp_path / "1")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_litert_folder_holds_the_model_and_the_card(tmp_path: Path) -> None:
    export_litert(b"TFL3", CARD, tmp_path / "1")
    assert (tmp_path / "1" / LITERT_FILE).read_bytes() == b"TFL3"
    assert ModelCard.read(tmp_path / "1") == CARD


def test_a_keras_file_gives_back_the_same_model_without_its_optimizer(model: keras.Model, tmp_path: Path) -> None:
    trained = keras.models.clone_model(model)
    trained.set_weights(model.get_weights())
    trained.compile("adam", "mse")
    images = np.arange(2 * SIDE * SIDE * 3, dtype=np.float32).reshape(2, SIDE, SIDE, 3) % 256
    trained.train_on_batch(images, np.zeros((2, 3)))
    save_keras(trained, tmp_path / "folder" / "model.keras")
    loaded = load_keras(tmp_path / "folder" / "model.keras")
    assert_array_equal(loaded(images), trained(images))
    assert getattr(loaded, "optimizer", None) is None
    assert [entry.name for entry in (tmp_path / "folder").iterdir()] == ["model.keras"]


def test_a_frozen_model_has_constants_for_variables(model: keras.Model, tmp_path: Path) -> None:
    export_saved_model(model, CARD, tmp_path / "1", frozen=True)
    assert len(tf.saved_model.load(str(tmp_path / "1")).signatures[IMAGE_SIGNATURE].captured_inputs) == 0


def test_a_lambda_hidden_in_a_keras_file_is_refused(tmp_path: Path) -> None:
    image = keras.Input((2,))
    keras.Model(image, keras.layers.Lambda(lambda x: x * 2)(image)).save(tmp_path / "model.keras")
    with pytest.raises(ModelError, match=r"model\.keras must be .* without code of its own"):
        load_keras(tmp_path / "model.keras")


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut off"])
def test_a_missing_or_damaged_keras_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "model.keras"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.keras must be a whole"):
        load_keras(path)


def test_a_truncated_keras_file_is_named(model: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    save_keras(model, path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ModelError, match=r"model\.keras must be a whole"):
        load_keras(path)
