import keras
import numpy as np
import pytest

from roadworthy.models.finetuning.adopt import adopt
from roadworthy.serving.errors import ModelError, UnsupportedLayer

SHAPE, CLASSES = (8, 8, 3), 4


def network(*, shape=SHAPE, classes=CLASSES, activation=None) -> keras.Model:
    keras.utils.set_random_seed(2)
    layers = keras.layers
    return keras.Sequential(
        [keras.Input(shape), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(classes, activation=activation)]
    )


def pixels(shape=SHAPE) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (5, *shape)).astype(np.float32)


@pytest.mark.parametrize(
    ("taken", "scaled"),
    [("0..255", lambda x: x), ("0..1", lambda x: x / 255), ("-1..1", lambda x: x / 127.5 - 1)],
)
def test_logits_become_scores_of_pixels_whatever_range_the_model_takes(taken, scaled):
    model = network()
    expected = keras.ops.softmax(model(scaled(pixels())))

    adopted = adopt(model, pixels=taken, classes=CLASSES)

    np.testing.assert_allclose(adopted(pixels()), expected, atol=1e-5)


@pytest.mark.parametrize("nested", [False, True])
def test_scores_stay_as_they_are(nested):
    model = network(activation="softmax")
    if nested:
        image = keras.Input(SHAPE)
        model = keras.Model(image, model(image))

    np.testing.assert_allclose(adopt(model, pixels="0..255", classes=CLASSES)(pixels()), model(pixels()), atol=1e-6)


def test_a_grey_model_is_taken():
    adopted = adopt(network(shape=(8, 8, 1)), pixels="0..1", classes=CLASSES)

    assert adopted.input_shape == (None, 8, 8, 1)


def two_inputs() -> keras.Model:
    first, second = keras.Input(SHAPE), keras.Input(SHAPE)
    return keras.Model([first, second], keras.layers.Add()([first, second]))


def open_size() -> keras.Model:
    image = keras.Input((None, None, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    return keras.Model(image, keras.layers.Dense(CLASSES, activation="softmax")(pooled))


@pytest.mark.parametrize(
    ("model", "received"),
    [
        (two_inputs, "2 inputs"),
        (open_size, r"\(None, None, None, 3\)"),
        (lambda: network(shape=(8, 8, 2)), r"\(None, 8, 8, 2\)"),
        (lambda: network(classes=7), r"4 classes.*\(None, 7\)"),
        (lambda: network(activation="sigmoid"), "sigmoid scores"),
    ],
    ids=["two inputs", "open size", "two channels", "other classes", "many labels"],
)
def test_a_model_that_is_no_image_classifier_is_refused(model, received):
    with pytest.raises(ModelError, match=received):
        adopt(model(), pixels="0..255", classes=CLASSES)


def test_scores_by_an_operation_are_known_as_scores():
    image = keras.Input(SHAPE)
    logits = keras.layers.Dense(CLASSES)(keras.layers.Flatten()(image))
    model = keras.Model(image, keras.ops.softmax(logits))

    np.testing.assert_allclose(adopt(model, pixels="0..255", classes=CLASSES)(pixels()), model(pixels()), atol=1e-6)


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_scores_are_float32_whatever_the_model_computes_in(activation):
    image = keras.Input(SHAPE)
    dense = keras.layers.Dense(CLASSES, activation=activation, dtype="mixed_float16")
    model = keras.Model(image, dense(keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))))
    adopted = adopt(model, pixels="0..255", classes=CLASSES)

    assert adopted.output.dtype == "float32"
    np.testing.assert_allclose(np.sum(adopted(pixels()), axis=1), 1, atol=5e-3)


def test_a_subclassed_model_is_named():
    class Mine(keras.Model):
        def call(self, images):
            return images

    model = Mine(name="mine")
    model(pixels())
    with pytest.raises(UnsupportedLayer, match=r"'mine'.*functional or Sequential.*Mine"):
        adopt(model, pixels="0..255", classes=CLASSES)
