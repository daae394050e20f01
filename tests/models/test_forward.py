import keras
import numpy as np
import pytest
import tf_keras

from roadworthy.models.forward import forward


@pytest.fixture(params=[keras, tf_keras], ids=["keras", "tf_keras"])
def model(request):
    layers = request.param.layers
    image = request.param.Input((4, 4, 3))
    hidden = layers.Dropout(0.5)(layers.BatchNormalization()(layers.Conv2D(2, 3)(image)))
    return request.param.Model(image, layers.Dense(5)(layers.Flatten()(hidden)))


@pytest.mark.parametrize("count", [1, 7])
def test_answers_are_those_of_a_model_that_infers(model, count):
    images = np.random.default_rng(3).uniform(0, 255, (count, 4, 4, 3)).astype(np.float32)

    np.testing.assert_allclose(forward(model)(images), np.asarray(model(images, training=False)), rtol=1e-4, atol=1e-3)


def test_weights_that_change_later_count(model):
    images = np.ones((2, 4, 4, 3), np.float32)
    answer = forward(model)
    before = answer(images)
    model.set_weights([weight + 1 for weight in model.get_weights()])

    assert np.abs(answer(images) - before).min() > 0.5
    np.testing.assert_allclose(answer(images), np.asarray(model(images, training=False)), rtol=1e-4, atol=1e-3)
