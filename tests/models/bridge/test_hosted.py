"""What tf_keras lacks is computed by Keras 3 inside the twin, also after TF-MOT's clones of it."""

import keras
import numpy as np
import pytest
import tf_keras

from roadworthy.models.bridge.equality import check_equal
from roadworthy.models.bridge.hosted import Hosted
from roadworthy.models.bridge.translation import to_tf_keras
from roadworthy.serving.errors import UnsupportedLayer

layers, ops = keras.layers, keras.ops
SHAPE = (8, 8, 3)


def cloned(twin: tf_keras.Model) -> tf_keras.Model:
    made = tf_keras.models.clone_model(twin)
    made.set_weights(twin.get_weights())
    return made


def model_of(compute) -> keras.Model:
    image = keras.Input(SHAPE)
    return keras.Model(image, compute(image))


OPERATIONS = {
    "one by it": lambda x: 1.0 / (x + 1.0),
    "absolute, clip, sqrt": lambda x: ops.sqrt(ops.clip(ops.absolute(x), 1, 90)),
    "argmax, one_hot": lambda x: ops.one_hot(ops.argmax(x, axis=-1), 3),
    "cast": lambda x: ops.cast(x, "float16"),
    "concatenate": lambda x: ops.concatenate([x, 2 * x], axis=-1),
    "conv": lambda x: ops.conv(x, np.ones((3, 3, 3, 2), np.float32)),
    "einsum": lambda x: ops.einsum("abcd,abce->abde", x, x),
    "flip, roll, swapaxes": lambda x: ops.swapaxes(ops.roll(ops.flip(x, axis=1), 2, axis=1), 1, 2),
    "gelu": lambda x: ops.gelu(x / 99),
    "index": lambda x: x[:, 1:, ::2, -1],
    "index with an ellipsis": lambda x: x[..., None, :2],
    "matmul": lambda x: ops.matmul(x, np.ones((3, 2), np.float32)),
    "maximum": lambda x: ops.maximum(x, 3.0),
    "mean over channels": lambda x: ops.mean(x, axis=-1, keepdims=True),
    "pad": lambda x: ops.pad(x, ((0, 0), (1, 1), (2, 0), (0, 0))),
    "power": lambda x: x**2,
    "reshape, transpose": lambda x: ops.transpose(ops.reshape(x, (-1, 64, 3)), (0, 2, 1)),
    "resize": lambda x: ops.image.resize(x, (5, 4)),
    "split": lambda x: layers.Add()(ops.split(x[..., :2], 2, axis=-1)),
    "stack": lambda x: ops.stack([x, x + 1], axis=1),
    "var": lambda x: ops.var(x, axis=(1, 2)),
    "where": lambda x: ops.where(x > 100, x, -x),
}


@pytest.mark.parametrize("compute", OPERATIONS.values(), ids=OPERATIONS)
def test_an_operation_computes_the_same(compute):
    model = model_of(compute)
    check_equal(model, cloned(to_tf_keras(model)))


@pytest.mark.parametrize(
    ("compute", "kind"),
    [
        (ops.relu, "ReLU"),
        (ops.relu6, "ReLU"),
        (lambda x: ops.sigmoid(x / 99), "Activation"),
        (lambda x: ops.silu(x / 99), "Activation"),
        (lambda x: ops.tanh(x / 99), "Activation"),
        (lambda x: ops.softmax(x / 99, axis=2), "Softmax"),
        (lambda x: ops.mean(x, axis=(1, 2)), "GlobalAveragePooling2D"),
        (lambda x: ops.mean(x, axis=(1, 2), keepdims=True), "GlobalAveragePooling2D"),
        (lambda x: ops.maximum(x, x - 1), "Maximum"),
    ],
)
def test_an_operation_that_tf_keras_has_a_layer_for_is_that_layer(compute, kind):
    model = model_of(compute)
    twin = to_tf_keras(model)
    check_equal(model, twin)
    assert type(twin.layers[-1]).__name__ == kind


LAYERS = [
    layers.Resizing(5, 4),
    layers.CenterCrop(6, 6),
    layers.AdaptiveAveragePooling2D(2),
    layers.Solarization(),
    layers.Activation("sparsemax"),
    layers.RandomFlip(seed=1),
    layers.RandomRotation(0.1, seed=1),
    layers.RandomZoom(0.1, seed=1),
    layers.RandomTranslation(0.1, 0.1, seed=1),
    layers.RandomContrast(0.1, seed=1),
    layers.RandomBrightness(0.1, seed=1),
    layers.RandomCrop(6, 6, seed=1),
    layers.RandomHue(0.1, seed=1),
    layers.RandomErasing(seed=1),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_a_layer_that_tf_keras_lacks_or_that_has_other_options_computes_the_same(layer):
    model = model_of(layer)
    check_equal(model, cloned(to_tf_keras(model)))


def test_augmentation_changes_images_in_training_alone():
    twin = to_tf_keras(model_of(layers.RandomFlip("horizontal", seed=1)))
    images = np.random.default_rng(0).uniform(0, 255, (16, *SHAPE)).astype(np.float32)

    np.testing.assert_array_equal(twin(images, training=False), images)
    trained = np.asarray(twin(images, training=True))
    as_they_were = [np.array_equal(here, there) for here, there in zip(trained, images, strict=True)]
    flipped = [np.array_equal(here, there[:, ::-1]) for here, there in zip(trained, images, strict=True)]
    assert all(np.logical_xor(as_they_were, flipped))
    assert 0 < sum(flipped) < len(images)


def test_a_model_with_hosted_operations_can_be_trained():
    model = model_of(lambda x: layers.Dense(2)(ops.reshape(layers.RandomFlip()(x)[:, ::2], (-1, 96)) / 255.0))
    twin = cloned(to_tf_keras(model))
    before = twin.get_weights()[0]
    twin.compile("sgd", "mse")
    twin.fit(np.ones((4, *SHAPE), np.float32), np.ones((4, 2), np.float32), verbose=0)

    assert np.max(np.abs(twin.get_weights()[0] - before)) > 0


def test_each_call_of_a_shared_nested_model_is_hosted():
    block = model_of(lambda x: ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, 0))) ** 0.5)
    model = model_of(lambda x: block(block(x)))
    twin = to_tf_keras(model)

    check_equal(model, twin)
    assert sum(isinstance(layer, Hosted) for layer in twin.layers) == 4


class Halved(keras.Operation):
    def call(self, x):
        return x / 2

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (Halved(name="mine"), r"'mine'.*none of keras.ops.*Halved"),
        (layers.RandomShear(0.1, 0.1, name="shear"), r"'shear'.*deserialized.*RandomShear"),
    ],
    ids=["someone's own", "can't be written down"],
)
def test_an_operation_that_cannot_cross_is_named(compute, message):
    with pytest.raises(UnsupportedLayer, match=message):
        to_tf_keras(model_of(compute))
