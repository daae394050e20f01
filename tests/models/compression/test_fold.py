import dataclasses

import keras
import numpy as np
import pytest

from roadworthy.models.bridge.graph import leaves
from roadworthy.models.compression.fold import fold
from roadworthy.models.compression.recipe import Fold, Step
from roadworthy.models.compression.training_images import TrainingImages
from roadworthy.serving.errors import DataError

layers = keras.layers


def randomised(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name in {"moving_variance", "gamma"}:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif weight.name in {"moving_mean", "beta", "bias"}:
            weight.assign(rng.normal(0, 0.1, weight.shape))
    return model


def kinds(model: keras.Model) -> list[str]:
    return [type(leaf).__name__ for leaf in leaves(model).values()]


def answers(model: keras.Model, images) -> np.ndarray:
    batch = next(images.batches().as_numpy_iterator())[0]
    return np.asarray(model(batch, training=False))


def test_a_folded_model_answers_alike_with_fewer_layers(parent, bench):
    made = fold(randomised(parent), Fold(), bench)

    np.testing.assert_allclose(answers(made.model, bench.images), answers(parent, bench.images), atol=1e-5)
    assert "BatchNormalization" not in kinds(made.model)
    assert made.notes[0].startswith("Folded ")


def test_what_can_not_be_folded_stays_and_is_listed_with_the_reason(bench):
    image = keras.Input((24, 24, 3), name="image")
    features = layers.BatchNormalization(name="first")(image)
    features = layers.Conv2D(4, 3, activation="relu", name="active")(features)
    features = layers.BatchNormalization(name="behind-relu")(features)
    shared = layers.Conv2D(4, 3, use_bias=False, name="read-twice")(features)
    normed = layers.BatchNormalization(name="beside-add")(shared)
    features = layers.Add()([normed, shared])
    features = layers.Conv2D(6, 1, use_bias=False, name="plain")(features)
    features = layers.GlobalAveragePooling2D()(layers.BatchNormalization(name="foldable")(features))
    model = randomised(keras.Model(image, layers.Dense(2, activation="softmax")(features)))

    made = fold(model, Fold(), bench)

    assert {one.layer for one in made.skipped} == {"first", "behind-relu", "beside-add"}
    assert all(one.reason for one in made.skipped)
    assert "foldable" not in leaves(made.model)
    np.testing.assert_allclose(answers(made.model, bench.images), answers(model, bench.images), atol=1e-5)


def test_a_mobile_net_loses_all_its_normalisations(bench, train_files):
    model = randomised(keras.applications.MobileNetV2(input_shape=(32, 32, 3), alpha=0.35, weights=None, classes=2))
    images = TrainingImages(train_files, height=32, width=32, batch_size=4, seed=1)
    made = fold(model, Fold(), dataclasses.replace(bench, images=images))

    assert "BatchNormalization" not in kinds(made.model)
    assert made.skipped == ()
    np.testing.assert_allclose(answers(made.model, images), answers(model, images), atol=1e-5)


def test_clusters_are_kept_and_what_stays_for_that_is_listed(parent, bench):
    stem = leaves(randomised(parent))["backbone/stem/conv"]
    stem.kernel.assign(np.sign(stem.kernel.numpy()) * 0.25)
    clustered = (Step.model_validate({"cluster": {"clusters": 2}}),)

    made = fold(parent, Fold(), dataclasses.replace(bench, earlier=clustered))

    assert len(np.unique(leaves(made.model)["backbone/stem/conv"].kernel.numpy())) == 2
    assert "is clustered" in {one.layer: one.reason for one in made.skipped}["backbone/stem/bn"]


def test_an_empty_split_is_named(parent, bench, no_images):
    with pytest.raises(DataError, match="at least one image"):
        fold(parent, Fold(), dataclasses.replace(bench, images=no_images))
