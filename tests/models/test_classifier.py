"""The classifier keeps the contract that export, bridge and compression rely on."""

import keras
import numpy as np
import pytest

from roadworthy.models.classifier import build_classifier, freeze_backbone
from roadworthy.models.config import BackboneSettings, ModelSettings


@pytest.fixture(scope="module")
def classifier() -> keras.Model:
    settings = ModelSettings(backbone=BackboneSettings(name="MobileNet", weights=None), image_size=32)
    return build_classifier(settings, classes=3)


def test_input_and_output_have_the_names_and_shapes_of_the_contract(classifier: keras.Model) -> None:
    assert (classifier.inputs[0].name, classifier.input_shape) == ("image", (None, 32, 32, 3))
    assert (classifier.output_names, classifier.output_shape) == (["scores"], (None, 3))


def test_scores_are_probabilities_for_raw_pixels(classifier: keras.Model, photo: np.ndarray) -> None:
    scores = classifier(photo[None, 200:232, 300:332].astype(np.float32)).numpy()
    assert scores.min() >= 0
    assert scores.sum() == pytest.approx(1)


def test_the_graph_is_flat_and_made_of_plain_layers(classifier: keras.Model) -> None:
    assert not any(isinstance(layer, keras.Model | keras.layers.Lambda) for layer in classifier.layers)


def test_dropout_of_nothing_is_left_out(classifier: keras.Model) -> None:
    settings = ModelSettings(backbone=BackboneSettings(name="MobileNet", weights=None), image_size=32, dropout=0)
    without = {layer.name for layer in build_classifier(settings, classes=3).layers}
    assert {layer.name for layer in classifier.layers} - without == {"head_dropout"}


def test_a_frozen_backbone_trains_the_head_only_and_keeps_its_statistics(
    classifier: keras.Model, photo: np.ndarray
) -> None:
    images = photo[None, 200:232, 300:332].astype(np.float32)
    freeze_backbone(classifier, frozen=True)
    norm = next(layer for layer in classifier.layers if isinstance(layer, keras.layers.BatchNormalization))
    before = norm.moving_mean.numpy()
    classifier(images, training=True)
    assert [weight.path for weight in classifier.trainable_weights] == ["scores/kernel", "scores/bias"]
    np.testing.assert_array_equal(norm.moving_mean, before)


def test_a_freed_backbone_trains_everything(classifier: keras.Model) -> None:
    freeze_backbone(classifier, frozen=True)
    freeze_backbone(classifier, frozen=False)
    assert len(classifier.trainable_weights) > 80
