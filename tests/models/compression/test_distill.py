import dataclasses
from dataclasses import replace

import keras
import numpy as np
import pytest

from contracts.recipe import SIDE
from roadworthy.models.compression.distill import (
    build_student,
    distill,
    resized,
    similarity_difference,
    with_features,
    with_logits,
)
from roadworthy.models.compression.recipe import Distill
from roadworthy.models.config import BackboneSettings, ModelSettings
from roadworthy.serving.errors import DataError, ModelError

SMALL = 12
STUDENT = ModelSettings(backbone=BackboneSettings(name="MobileNet", weights=None), image_size=32, dropout=0)


def batch_of(images) -> np.ndarray:
    return next(images.batches().as_numpy_iterator())[0]


def disagreement(model: keras.Model, teacher: keras.Model, images) -> float:
    batch = batch_of(images)
    return float(np.mean(np.abs(model(batch, training=False) - teacher(batch, training=False))))


def scrambled(model: keras.Model) -> keras.Model:
    """The same network with a head that knows nothing."""
    head = model.layers[-1]
    head.set_weights([np.zeros_like(weight) for weight in head.get_weights()])
    return model


@pytest.mark.parametrize("feature_weight", [0.0, 1.0])
def test_a_student_comes_to_answer_as_its_teacher(parent, bench, feature_weight):
    settings = Distill(epochs=4, learning_rate=1e-2, label_weight=0, feature_weight=feature_weight)
    before = disagreement(scrambled(parent), bench.teacher(), bench.images)
    made = distill(parent, settings, bench)

    assert disagreement(made.model, bench.teacher(), bench.images) < before / 2


def test_the_teacher_stays_as_it_was(parent, bench):
    teacher = bench.teacher()
    before = [weight.copy() for weight in teacher.get_weights()]
    distill(parent, Distill(learning_rate=1e-2), dataclasses.replace(bench, teacher=lambda: teacher))

    for here, there in zip(teacher.get_weights(), before, strict=True):
        np.testing.assert_array_equal(here, there)


def test_a_new_student_takes_images_of_its_own_size_and_says_how_large_it_is(parent, bench):
    made = distill(parent, Distill(student=STUDENT), bench)

    assert made.model.input_shape == (None, STUDENT.image_size, STUDENT.image_size, 3)
    assert "parameters learned from" in made.notes[0]
    images = dataclasses.replace(bench.images, height=STUDENT.image_size, width=STUDENT.image_size)
    np.testing.assert_allclose(np.sum(made.model(batch_of(images)), axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("feature_weight", [0.0, 1.0])
def test_a_student_of_smaller_images_learns_from_a_teacher_of_larger_ones(parent, bench, feature_weight):
    small = dataclasses.replace(bench.images, height=SMALL, width=SMALL)
    large, seen = batch_of(bench.images), batch_of(small)
    told = bench.teacher()(large)
    before = float(np.mean(np.abs(resized(scrambled(parent), SMALL)(seen) - told)))
    settings = Distill(image_size=SMALL, epochs=4, learning_rate=1e-2, label_weight=0, feature_weight=feature_weight)
    made = distill(parent, settings, bench)

    assert made.model.input_shape == (None, SMALL, SMALL, 3)
    assert [layer.name for layer in made.model.layers] == [layer.name for layer in parent.layers]
    assert float(np.mean(np.abs(made.model(seen) - told))) < before / 2


def test_a_resized_network_keeps_its_weights_and_proportions():
    image = keras.Input((24, 48, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, name="conv")(image))
    model = keras.Model(image, pooled)
    made = resized(model, 12)

    assert made.input_shape == (None, 12, 24, 3)
    np.testing.assert_array_equal(made.get_layer("conv").kernel, model.get_layer("conv").kernel)
    assert resized(model, 24) is model


def test_a_network_whose_weights_depend_on_the_size_is_refused(bench):
    image = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(image, keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(image)))

    with pytest.raises(
        ModelError, match=r"convolutional down to its pooling.*can't take 12 x 12 pixels: dense.*/kernel would change"
    ):
        distill(model, Distill(image_size=SMALL), bench)


def test_a_network_that_can_not_take_so_few_pixels_is_refused():
    image = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(image, keras.layers.Conv2D(2, SIDE - 2)(image))

    with pytest.raises(ModelError, match="can't take 12 x 12 pixels"):
        resized(model, SMALL)


def test_a_student_of_grey_images_sees_them_in_three_channels(bench):
    student = build_student(STUDENT, replace(bench.card, image_channels=1))

    assert student.input_shape == (None, STUDENT.image_size, STUDENT.image_size, 1)
    np.testing.assert_allclose(np.sum(student(np.zeros((2, *student.input_shape[1:]))), axis=1), 1, atol=1e-5)


def test_logits_give_back_the_scores(parent, bench):
    batch = batch_of(bench.images)

    np.testing.assert_allclose(keras.ops.softmax(with_logits(parent)(batch)), parent(batch), atol=1e-6)


def test_similarity_is_that_of_the_batch_whatever_the_width():
    rng = np.random.default_rng(0)
    narrow = rng.normal(size=(4, 3)).astype(np.float32)
    turned = np.concatenate([narrow, np.zeros((4, 5), np.float32)], axis=1)[:, ::-1]

    assert float(similarity_difference(narrow, turned)) == pytest.approx(0, abs=1e-9)
    assert float(similarity_difference(narrow, rng.normal(size=(4, 3)).astype(np.float32))) > 1e-3


def nested(*, logits: bool) -> keras.Model:
    """A classifier whose head is two models deep, as a file from elsewhere is once it is adopted."""
    tile, seen = keras.Input((SIDE, SIDE, 3)), keras.Input((SIDE, SIDE, 3))
    head = keras.layers.Dense(2, activation=None if logits else "softmax", name="head")
    # Of whole pixel values the softmax would be saturated, and nothing to learn from.
    small = keras.layers.Rescaling(1 / 255)(seen)
    inner = keras.Model(seen, head(keras.layers.GlobalAveragePooling2D(name="pooled")(small)), name="inner")
    scores = keras.Sequential([keras.Input((SIDE, SIDE, 3)), inner], name="outer")(tile)
    return keras.Model(tile, keras.layers.Softmax(name="scores")(scores) if logits else scores)


@pytest.mark.parametrize("logits", [False, True])
def test_features_are_what_the_last_weights_see_however_deep_they_are(bench, logits):
    model = nested(logits=logits)
    batch = batch_of(bench.images)

    opened = with_features(model)

    features = keras.Model(opened.inputs, opened.get_layer("distilled_features").output)
    np.testing.assert_allclose(features(batch), np.mean(batch / 255, axis=(1, 2)), rtol=1e-4)
    np.testing.assert_allclose(opened(batch), model(batch), atol=1e-6)
    assert opened.get_layer("head").kernel is model.weights[0]


def test_the_features_of_nested_models_are_learned_from(bench):
    keras.utils.set_random_seed(1)
    student, teacher = nested(logits=True), nested(logits=False)
    before = disagreement(student, teacher, bench.images)
    settings = Distill(epochs=8, learning_rate=1e-2, label_weight=0, feature_weight=1)

    made = distill(student, settings, dataclasses.replace(bench, teacher=lambda: teacher))

    assert disagreement(made.model, teacher, bench.images) < 0.9 * before


def test_features_of_a_model_without_weights_or_with_a_head_used_twice_are_refused():
    image = keras.Input((SIDE, SIDE, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    head = keras.layers.Dense(3)
    twice = keras.layers.Average()([head(pooled), head(head(pooled))])
    with pytest.raises(ModelError, match=r"last layer with weights that sees one tensor once.*none.*feature_weight"):
        with_features(keras.Model(image, pooled))
    with pytest.raises(ModelError, match=r"sees one tensor once.*called 3 times.*feature_weight"):
        with_features(keras.Model(image, twice))


def test_an_empty_split_is_named(parent, bench, no_images):
    with pytest.raises(DataError, match="at least one image"):
        distill(parent, Distill(), dataclasses.replace(bench, images=no_images))
