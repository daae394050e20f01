import keras
import numpy as np
import pytest

from roadworthy.models.batch_norm import reestimate


@pytest.fixture(params=[True, False], ids=["free", "frozen"])
def layer(request):
    return keras.layers.BatchNormalization(momentum=0.9, trainable=request.param)


@pytest.fixture
def batches():
    return np.random.default_rng(2).uniform(0, 255, (5, 8, 4, 4, 3)).astype(np.float32)


def test_statistics_become_the_average_over_all_batches(layer, batches):
    model = keras.Sequential([keras.Input((4, 4, 3)), layer])
    reestimate(model, batches)
    np.testing.assert_allclose(layer.moving_mean, batches.mean(axis=(0, 1, 2, 3)), rtol=1e-4)
    np.testing.assert_allclose(layer.moving_variance, batches.var(axis=(1, 2, 3)).mean(axis=0), rtol=1e-4)


def test_layers_in_nested_models_are_reached(layer, batches):
    image = keras.Input((4, 4, 3))
    inner = keras.Sequential([keras.Input((4, 4, 3)), layer])
    reestimate(keras.Model(image, inner(image)), batches)
    np.testing.assert_allclose(layer.moving_mean, batches.mean(axis=(0, 1, 2, 3)), rtol=1e-4)


def test_momentum_and_freezing_are_as_before(layer, batches):
    before = (layer.momentum, layer.trainable)
    reestimate(keras.Sequential([keras.Input((4, 4, 3)), layer]), batches)
    assert (layer.momentum, layer.trainable) == before
