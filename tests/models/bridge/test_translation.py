import keras
import numpy as np
import pytest
import tf_keras

from contracts.recipe import tiny_classifier
from roadworthy.models.bridge.equality import check_equal
from roadworthy.models.bridge.translation import to_tf_keras
from roadworthy.serving.errors import ModelError, UnsupportedLayer

layers = keras.layers


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(5)


def randomise(model: keras.Model) -> keras.Model:
    """Gives every weight its own value: zeros and ones hide weights that were swapped or left out."""
    rng = np.random.default_rng(11)
    for weight in model.weights:
        positive = weight.name.endswith("variance")
        weight.assign(rng.uniform(0.5, 1.5, weight.shape) if positive else rng.normal(0, 0.3, weight.shape))
    return model


def cloned(twin: tf_keras.Model) -> tf_keras.Model:
    """As TF-MOT clones it."""
    made = tf_keras.models.clone_model(twin)
    made.set_weights(twin.get_weights())
    return made


def chain(*stack: keras.Operation, shape: tuple[int, ...] = (8, 8, 3)) -> keras.Model:
    image = keras.Input(shape, name="image")
    output = image
    for layer in stack:
        output = layer(output)
    return randomise(keras.Model(image, output))


LAYERS = [
    layers.Conv2D(4, 3, strides=2, padding="same", dilation_rate=1, groups=1, kernel_regularizer="l2"),
    layers.Conv2D(4, 3, kernel_initializer=keras.initializers.HeNormal(seed=1), activation="hard_silu"),
    layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu6"),
    layers.SeparableConv2D(4, 3),
    layers.Conv2DTranspose(2, 3, strides=2),
    layers.Dense(5, activation="leaky_relu", kernel_constraint=keras.constraints.MaxNorm(2)),
    layers.BatchNormalization(epsilon=0.01, momentum=0.9),
    layers.LayerNormalization(),
    layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 5.0, 6.0]),
    layers.Rescaling(1 / 127.5, offset=-1.0),
    layers.Rescaling([0.1, 0.2, 0.3], offset=[1.0, 2.0, 3.0]),
    layers.ReLU(6.0),
    layers.LeakyReLU(negative_slope=0.3),
    layers.PReLU(shared_axes=[1, 2]),
    layers.ZeroPadding2D(((0, 1), (1, 0))),
    layers.MaxPooling2D(3, strides=2, padding="same"),
    layers.AveragePooling2D(2),
    layers.GlobalAveragePooling2D(keepdims=True),
    layers.GlobalMaxPooling2D(),
    layers.UpSampling2D(2, interpolation="bilinear"),
    layers.Dropout(0.5),
    layers.SpatialDropout2D(0.5),
    layers.Flatten(),
    layers.Reshape((4, 48)),
    layers.Permute((3, 1, 2)),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_a_layer_computes_the_same(layer):
    model = chain(layer)
    check_equal(model, to_tf_keras(model))


@pytest.mark.parametrize(
    "name",
    [
        *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus"),
        *("sigmoid", "tanh", "softmax", "exponential", "hard_sigmoid", "hard_silu", "hard_swish"),
    ],
)
def test_an_activation_computes_the_same(name):
    model = chain(layers.Rescaling(1 / 40, offset=-3.0), layers.Activation(name))
    check_equal(model, to_tf_keras(model))


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: x + 3.0,
        lambda x: 3.0 + x,
        lambda x: x - 3,
        lambda x: x * 0.5,
        lambda x: x / 4.0,
        lambda x: 1.0 - x,
        lambda x: keras.ops.add(x, np.array([1.0, 2.0, 3.0], np.float32)),
        lambda x: keras.ops.multiply(np.array([1.0, 2.0, 3.0], np.float32), x),
        lambda x: x + layers.ReLU(9.0)(x),
        lambda x: x - layers.ReLU(9.0)(x),
        lambda x: x * layers.ReLU(9.0)(x),
    ],
)
def test_arithmetic_computes_the_same(compute):
    image = keras.Input((4, 4, 3))
    model = keras.Model(image, compute(image))
    check_equal(model, to_tf_keras(model))


@pytest.mark.parametrize("merge", ["Add", "Subtract", "Multiply", "Average", "Maximum", "Concatenate"])
def test_a_merge_takes_its_inputs_in_order(merge):
    image = keras.Input((4, 4, 3))
    branches = [layers.Conv2D(2, 1)(image), layers.Conv2D(2, 1)(image)]
    model = randomise(keras.Model(image, getattr(layers, merge)()(branches)))
    check_equal(model, to_tf_keras(model))


def test_nested_models_come_out_flat_under_their_paths():
    model = randomise(tiny_classifier())
    twin = to_tf_keras(model)
    check_equal(model, twin)
    names = [layer.name for layer in twin.layers]
    assert {"scale", "backbone/stem/conv", "backbone/stem/bn", "backbone/add", "scores"} <= set(names)
    assert not any(isinstance(layer, tf_keras.Model) for layer in twin.layers)


def test_layers_of_one_name_in_two_nested_models_keep_their_own_weights():
    def block(name: str) -> keras.Model:
        return keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(3, 3, padding="same", name="conv")], name=name)

    model = chain(block("left"), block("right"))
    check_equal(model, to_tf_keras(model))


def test_a_nested_model_called_twice_may_hold_arithmetic_and_activations():
    image = keras.Input((8, 8, 3))
    block = keras.Model(image, layers.Conv2D(3, 1, activation="hard_silu")(layers.Activation("silu")(image / 99.0)))
    model = chain(block, layers.Rescaling(50.0), block)
    check_equal(model, to_tf_keras(model))


@pytest.mark.parametrize("nested", [False, True])
def test_a_shared_layer_stays_shared(nested):
    shared: keras.Operation = layers.Conv2D(3, 3, padding="same")
    if nested:
        shared = keras.Sequential([keras.Input((8, 8, 3)), shared])
    model = chain(shared, layers.ReLU(), shared)
    twin = to_tf_keras(model)
    check_equal(model, twin)
    assert len(twin.weights) == 2


def test_a_model_with_several_inputs_and_outputs_keeps_their_order():
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    model = keras.Model([left, right], [layers.Dense(2)(right), layers.Subtract()([left, right])])
    given = [np.full((1, 4), 2.0, np.float32), np.full((1, 4), 5.0, np.float32)]
    for here, there in zip(model(given), to_tf_keras(model)(given), strict=True):
        np.testing.assert_allclose(here, there, atol=1e-6)


def test_frozen_layers_stay_frozen():
    model = chain(layers.Conv2D(2, 1, trainable=False), layers.Conv2D(2, 1))
    assert [layer.trainable for layer in to_tf_keras(model).layers[1:]] == [False, True]


# EfficientNetB0, ResNet50V2, DenseNet121, InceptionV3, NASNetMobile and Xception pass too, but take long.
@pytest.mark.parametrize("name", ["MobileNetV2", "MobileNetV3Small"])
def test_a_network_of_keras_applications_computes_the_same(name):
    network = getattr(keras.applications, name)(input_shape=(32, 32, 3), weights=None, include_top=False)
    scale, pool = layers.Rescaling(1 / 127.5, offset=-1.0), layers.GlobalAveragePooling2D()
    model = chain(scale, network, pool, shape=(32, 32, 3))
    check_equal(model, to_tf_keras(model))


def test_the_projects_own_classifier_computes_the_same():
    from roadworthy.models.classifier import build_classifier
    from roadworthy.models.config import BackboneSettings, ModelSettings

    settings = ModelSettings(backbone=BackboneSettings(weights=None), image_size=32)
    model = randomise(build_classifier(settings, classes=3))
    check_equal(model, to_tf_keras(model))


def silu(x):
    """Someone's own function that bears a known one's name."""
    return x


class Doubled(keras.layers.Layer):
    def call(self, inputs):
        return inputs * 2


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Doubled(name="mine"), r"'mine'.*no layer.*Doubled"),
        (layers.Lambda(lambda x: x, name="code"), r"'code'.*no layer.*Lambda"),
        (layers.TimeDistributed(layers.Dense(2), name="each"), r"'each'.*no layer.*TimeDistributed"),
        (layers.RMSNormalization(name="rms"), r"'rms'.*no layer.*RMSNormalization"),
        (layers.LayerNormalization(rms_scaling=True, name="ln"), r"'ln'.*no option \{'rms_scaling': True\}"),
        (layers.Activation(silu, name="act"), r"'act'.*'silu' is none of keras.activations"),
        (layers.Dense(2, activation=silu, name="own"), r"'own'.*'silu' is none of keras.activations"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_layer_that_cannot_cross_is_named(layer, message):
    image = keras.Input((4, 4, 3))
    inner = keras.Model(image, layer(image), name="inner")
    with pytest.raises(UnsupportedLayer, match=message.replace("'", "'inner/", 1)):
        to_tf_keras(chain(inner, shape=(4, 4, 3)))


def test_a_subclassed_model_is_named():
    class Mine(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(UnsupportedLayer, match=r"'mine'.*functional or Sequential.*Mine"):
        to_tf_keras(chain(Mine(name="mine")))


def test_a_sequential_that_knows_no_shape_is_named():
    with pytest.raises(UnsupportedLayer, match="input shape"):
        to_tf_keras(keras.Sequential([layers.Dense(2)], name="late"))


def test_several_inputs_and_outputs_cross():
    first, second = keras.Input((4, 4, 3), name="first"), keras.Input((4, 4, 3), name="second")
    both = layers.Concatenate()([layers.Conv2D(4, 3, name="conv")(first), layers.Conv2D(2, 3)(second)])
    outputs = [layers.Dense(3, name="narrow")(both), layers.Dense(5, name="wide")(both)]
    model = randomise(keras.Model([first, second], outputs))
    twin = to_tf_keras(model)

    check_equal(model, twin)

    dense = twin.get_layer("narrow")
    dense.kernel.assign(dense.kernel + 1e-3)
    with pytest.raises(ModelError, match="first at layer 'narrow'"):
        check_equal(model, twin, tolerance=1e-6)


def test_layers_with_layers_of_their_own_keep_weights_of_one_name_apart():
    tokens = keras.Input((5, 8))
    attended = layers.MultiHeadAttention(2, 4, name="attention")(tokens, tokens)
    model = randomise(keras.Model(tokens, layers.LayerNormalization()(layers.Add()([tokens, attended]))))

    check_equal(model, to_tf_keras(model))


def test_arguments_by_name_and_masks_cross():
    tokens = keras.Input((5, 8))
    mask = np.tril(np.ones((1, 5, 5), bool))
    attend = layers.MultiHeadAttention(2, 4)
    attended = attend(attend(query=tokens, value=tokens, attention_mask=mask), tokens, use_causal_mask=True)
    model = randomise(keras.Model(tokens, attended))

    check_equal(model, cloned(to_tf_keras(model)))


def test_a_constant_beside_a_tensor_outlives_a_clone():
    image = keras.Input((4, 4, 3))
    model = keras.Model(image, layers.Multiply()([image, np.full((1, 4, 4, 3), 2, np.float32)]))

    check_equal(model, cloned(to_tf_keras(model)))


def test_an_argument_that_tf_keras_does_not_know_is_named():
    tokens = keras.Input((5, 8))
    attended = layers.MultiHeadAttention(2, 4, name="attend")(tokens, tokens, query_mask=np.ones((1, 5), bool))
    with pytest.raises(UnsupportedLayer, match=r"'attend'.*called with \['query_mask'\]"):
        to_tf_keras(keras.Model(tokens, attended))


@pytest.mark.parametrize("nested", [False, True])
def test_a_training_flag_fixed_in_the_graph_counts_as_little_as_in_keras_itself(nested):
    image = keras.Input((8, 8, 3))
    norm = layers.BatchNormalization()
    inner = norm(image) if nested else norm(image, training=True)
    model = randomise(keras.Model(image, inner))
    if nested:
        again = keras.Input((8, 8, 3))
        model = keras.Model(again, model(again, training=True))
    twin = to_tf_keras(model)
    check_equal(model, twin)
    batch = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    # What the flag would do.
    assert np.max(np.abs(np.asarray(twin(batch, training=True)) - np.asarray(twin(batch, training=False)))) > 1


def test_a_training_step_moves_statistics_alike():
    model = randomise(chain(layers.Conv2D(4, 3), layers.BatchNormalization(momentum=0.8, epsilon=1e-2, name="norm")))
    twin = to_tf_keras(model)
    batch = np.random.default_rng(0).normal(size=(8, *model.input_shape[1:])).astype(np.float32)

    before = model.get_layer("norm").moving_variance.numpy()

    np.testing.assert_allclose(model(batch, training=True), twin(batch, training=True), atol=1e-4)

    here, there = model.get_layer("norm"), twin.get_layer("norm")
    np.testing.assert_allclose(here.moving_mean, there.moving_mean.numpy(), atol=1e-5)
    # tf_keras counts one value less when it takes the variance of a batch, as of a sample.
    values = np.prod(model.output_shape[1:-1]) * len(batch)
    moved, moved_there = (np.asarray(norm.moving_variance) - 0.8 * before for norm in (here, there))
    np.testing.assert_allclose(moved_there, moved * values / (values - 1), rtol=1e-3)


def test_dropout_drops_its_share_in_training_and_nothing_else():
    twin = to_tf_keras(chain(layers.Dropout(0.25), shape=(100, 100, 1)))
    ones = np.ones((1, 100, 100, 1), np.float32)

    np.testing.assert_array_equal(twin(ones, training=False), ones)
    assert np.mean(np.asarray(twin(ones, training=True)) == 0) == pytest.approx(0.25, abs=0.03)


def test_a_dtype_policy_crosses():
    model = chain(layers.Conv2D(4, 3, dtype="mixed_bfloat16", name="half"), layers.Activation("relu", dtype="float32"))

    assert to_tf_keras(model).get_layer("half").compute_dtype == "bfloat16"


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_a_model_of_another_precision_computes_the_same(policy):
    def normed(x):
        half = layers.Conv2D(8, 3, activation="hard_silu", dtype=policy)(x)
        return layers.ReLU(dtype=policy)(layers.BatchNormalization(dtype=policy)(half)) * 2.0 + 1.0

    image = keras.Input((8, 8, 3))
    pooled = keras.ops.mean(normed(layers.Rescaling(1 / 255, dtype=policy)(image)), axis=(1, 2))
    scores = layers.Dense(3, activation="softmax", dtype="float32")(layers.Dense(5, dtype=policy)(pooled))
    model = randomise(keras.Model(image, scores))

    check_equal(model, to_tf_keras(model))


def test_a_policy_that_tf_keras_lacks_is_named():
    model = chain(layers.Dense(2, name="rounded"))
    model.get_layer("rounded").quantize("int8")
    with pytest.raises(UnsupportedLayer, match=r"'rounded'.*no dtype_policies\.QuantizedDTypePolicy"):
        to_tf_keras(model)


def test_nesting_three_levels_deep_in_both_kinds_of_model_keeps_every_path():
    image = keras.Input((8, 8, 3))
    block = keras.Model(image, layers.Conv2D(3, 3, name="conv")(image), name="block")
    stage = keras.Sequential([keras.Input((8, 8, 3)), block, layers.ReLU(name="conv")], name="stage")
    body = keras.Model(image, layers.Conv2D(2, 1, name="conv")(stage(image)), name="body")
    model = chain(body, layers.Conv2D(2, 1, name="conv"))
    twin = to_tf_keras(model)

    check_equal(model, twin)
    assert {"body/stage/block/conv", "body/stage/conv", "body/conv", "conv"} <= {layer.name for layer in twin.layers}


def test_inputs_and_outputs_by_name_cross_even_inside():
    def pair(names: str) -> keras.Model:
        first, second = (keras.Input((4,), name=name) for name in names)
        outputs = {"z": layers.Dense(2)(first), "y": layers.Dense(3)(second)}
        return keras.Model({first.name: first, second.name: second}, outputs, name=f"pair_{names}")

    inner, outer = pair("ba"), pair("dc")
    first, second = keras.Input((4,), name="first"), keras.Input((4,), name="second")
    model = randomise(keras.Model({"second": second, "first": first}, inner({"a": first, "b": second})))

    for each in (model, randomise(outer)):
        check_equal(each, to_tf_keras(each))
