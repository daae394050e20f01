import dataclasses

import keras
import numpy as np
import pytest
from keras.src.applications.convnext import LayerScale

from contracts.recipe import SIDE
from roadworthy.models.bridge.translation import to_tf_keras
from roadworthy.models.compression.agreement import Agreement, ask
from roadworthy.models.compression.flatbuffer import float_operators, int8_kernels
from roadworthy.models.compression.kernels import kernel_rows, layers_with_kernel
from roadworthy.models.compression.qat import train_quantized
from roadworthy.models.compression.qat_layers import why_float
from roadworthy.models.compression.quantize import _check_agreement, quantize
from roadworthy.models.compression.recipe import QuantizationAwareTraining, Quantize, Step
from roadworthy.models.compression.tf_mot import load_tf_mot
from roadworthy.serving.errors import ModelError

QAT = QuantizationAwareTraining(epochs=2, learning_rate=1e-3)
ENDS = ("min", "max")
KERNELS = ("backbone/stem/conv", "backbone/project", "scores")
PRUNED = Step.model_validate({"prune": {}})
CLUSTERED = Step.model_validate({"cluster": {"clusters": 5}})


@pytest.fixture(scope="module")
def made(parent_file, train_files):
    from roadworthy.models.compression.made import Bench
    from roadworthy.models.compression.training_images import TrainingImages
    from roadworthy.models.export import load_keras
    from roadworthy.serving.contract import ModelCard

    card = ModelCard(labels=("china", "flower"), image_height=SIDE, image_width=SIDE)
    images = TrainingImages(train_files, height=SIDE, width=SIDE, batch_size=8, seed=1)
    bench = Bench(images=images, card=card, earlier=(), teacher=lambda: load_keras(parent_file))
    return quantize(load_keras(parent_file), Quantize(qat=QAT), bench)


def test_what_tf_mot_has_no_scheme_for_stays_in_float_and_is_listed(made):
    assert [(skipped.layer, skipped.reason) for skipped in made.skipped] == [
        ("scale", "TF-MOT has no QAT scheme for Rescaling")
    ]
    assert all("/quant_scale/" in left.output for left in float_operators(made.litert, "int8"))
    assert len(int8_kernels(made.litert)) == 4


def test_the_file_and_the_model_beside_it_agree(made, images):
    sample = np.concatenate(list(images.sample(20).as_numpy_iterator()))
    file, beside = ask(made.litert, sample), made.model.predict(sample, verbose=0)
    np.testing.assert_allclose(file, beside, atol=0.06)
    assert file.argmax(axis=1).tolist() == beside.argmax(axis=1).tolist()


def test_the_model_beside_the_file_has_its_rounded_kernels_and_was_trained(made, parent):
    before, after = kernel_rows(parent), kernel_rows(made.model)
    there = {rows.shape: rows for rows in int8_kernels(made.litert)}
    for path in ("backbone/project", "backbone/depthwise"):
        rows = after[path]
        assert not np.allclose(rows, before[path], atol=1e-4)
        np.testing.assert_allclose(rows / np.abs(rows).max(axis=1, keepdims=True) * 127, there[rows.shape], atol=0.01)


@pytest.mark.parametrize("io", ["int8", "uint8"])
def test_integer_borders_go_with_layers_in_float(io, parent, bench, images):
    made = quantize(parent, Quantize(io=io, qat=QuantizationAwareTraining()), bench)
    sample = np.concatenate(list(images.sample(6).as_numpy_iterator()))
    np.testing.assert_allclose(ask(made.litert, sample), made.model.predict(sample, verbose=0), atol=0.06)


@pytest.mark.parametrize("steps", [(PRUNED,), (CLUSTERED,), (PRUNED, CLUSTERED)], ids=["PQAT", "CQAT", "PCQAT"])
def test_what_earlier_steps_won_is_still_in_the_file(steps, parent, bench):
    before = prepared(parent, steps)
    made = quantize(parent, Quantize(qat=QAT), dataclasses.replace(bench, earlier=steps))
    there = {rows.shape: rows for rows in int8_kernels(made.litert)}
    for path in KERNELS:
        rows = there[before[path].shape]
        if PRUNED in steps:
            assert np.all(rows[before[path] == 0] == 0)
            assert np.mean(rows == 0) >= 0.4
        if CLUSTERED in steps:
            # In all channels together, though each has a scale of its own.
            assert 1 < len(np.unique(rows)) <= len(np.unique(before[path]))
    assert any(not np.allclose(kernel_rows(made.model)[path], before[path], atol=1e-3) for path in KERNELS)


def test_clusters_of_some_layers_and_zeros_of_others_are_both_kept(parent, bench):
    before = prepared(parent, (PRUNED,))
    layer = layers_with_kernel(parent)["backbone/project"]
    layer.kernel.assign(np.sign(layer.kernel.numpy()) * 0.3)
    steps = (PRUNED, CLUSTERED)
    made = quantize(parent, Quantize(qat=QAT), dataclasses.replace(bench, earlier=steps))
    there = {rows.shape: rows for rows in int8_kernels(made.litert)}
    stem, project = (there[before[path].shape] for path in ("backbone/stem/conv", "backbone/project"))
    assert np.all(stem[before["backbone/stem/conv"] == 0] == 0)
    assert len(np.unique(stem)) > 9
    assert len(np.unique(project)) == 3


def test_ranges_are_those_of_the_data_after_a_short_training(parent, bench):
    twin = train_quantized(parent, QuantizationAwareTraining(), bench, clusters={}).twin
    ranges = {weight.name.partition(":")[0]: float(weight) for weight in twin.weights if weight.shape.rank == 0}
    pixels = sorted(value for name, value in ranges.items() if name.startswith("quantize_layer") and name[-3:] in ENDS)
    assert pixels == [0, 255]
    low, high = (ranges[f"quant_scale/output_{end}"] for end in ENDS)
    # Rescaled pixels reach from -1 to 1; TF-MOT starts at -6 and 6.
    assert -1.01 < low < -0.5
    assert 0.5 < high < 1.01


def test_a_model_with_no_supported_layer_is_refused(bench):
    image = keras.Input((SIDE, SIDE, 3), name="image")
    norm = keras.layers.LayerNormalization(name="norm")(keras.layers.GlobalAveragePooling2D()(image))
    model = keras.Model(image, keras.layers.Softmax()(norm))
    with pytest.raises(ModelError, match=r"must have a convolution or dense layer .*no QAT scheme for LayerNorm"):
        quantize(model, Quantize(qat=QAT), bench)


def test_every_kind_of_layer_without_a_scheme_has_its_reason():
    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = layers.Conv2D(4, 3, use_bias=False, name="conv")(layers.Rescaling(1 / 255, name="scale")(image))
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="folded")(x))
    x = layers.BatchNormalization(name="alone")(x)
    x = layers.Conv2D(4, 3, activation="elu", name="elu")(x)
    x = layers.SeparableConv2D(4, 3, name="separable")(x)
    shared = layers.Conv2D(4, 1, name="shared")
    x = layers.LayerNormalization(name="norm")(shared(shared(x)))
    split = layers.Conv2D(4, 1, name="split")(x)
    x = layers.Multiply(name="scaled")([split, layers.BatchNormalization(name="beside")(split)])
    scores = layers.Dense(2, activation="softmax", name="scores")(layers.GlobalAveragePooling2D(name="pool")(x))
    registry = load_tf_mot().quantization.keras.default_8bit.Default8BitQuantizeRegistry()
    reasons = why_float(to_tf_keras(keras.Model(image, scores)), [registry])
    follows = "it follows no convolution or dense layer that it could be folded into"
    assert reasons == {
        "scale": "TF-MOT has no QAT scheme for Rescaling",
        "alone": follows,
        "elu": "TF-MOT has no QAT scheme for the activation elu",
        "separable": "TF-MOT would split it into two layers of other names",
        "shared": "it is called more than once, and TF-MOT follows one call only",
        "norm": "TF-MOT has no QAT scheme for LayerNormalization",
        "beside": follows,
        "scaled": "TF-MOT has no QAT scheme for Multiply",
    }


def test_a_model_of_such_layers_is_trained_and_converted_around_them(bench):
    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, name="conv")(layers.Rescaling(1 / 255, name="scale")(image))
    x = layers.Conv2D(8, 3, activation="elu", name="elu")(layers.BatchNormalization(name="norm")(layers.ReLU()(x)))
    x = layers.AveragePooling2D(2, name="pool")(layers.Conv2D(8, 1, name="before_pool")(x))
    x = layers.Multiply(name="gate")([x, layers.Conv2D(8, 1, activation="sigmoid", name="sigmoid")(x)])
    x = layers.Concatenate(name="joined")([x, layers.LayerNormalization(name="layer_norm")(x)])
    x = layers.Conv2D(8, 3, activation="silu", name="after")(x)
    scores = layers.Dense(2, activation="softmax", name="scores")(layers.GlobalAveragePooling2D()(x))
    made = quantize(keras.Model(image, scores), Quantize(qat=QAT), bench)
    listed = {skipped.layer for skipped in made.skipped}
    assert {"scale", "norm", "elu", "gate", "layer_norm"} <= listed
    assert len(int8_kernels(made.litert)) == 5


def test_attention_and_layers_of_ones_own_are_trained_in_float_and_listed(bench):
    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = layers.Conv2D(8, 4, strides=4, activation="relu", name="patches")(image)
    x = layers.Reshape((-1, 8), name="tokens")(LayerScale(0.5, 8, name="own")(x))
    x = layers.Add(name="sum")([x, layers.MultiHeadAttention(2, 4, name="attention")(x, x)])
    x = layers.GlobalAveragePooling1D(name="pool")(layers.Dense(8, activation="relu", name="dense")(x))
    model = keras.Model(image, layers.Dense(2, activation="softmax", name="scores")(x))
    made = quantize(model, Quantize(qat=QAT), bench)
    reasons = {skipped.reason for skipped in made.skipped}
    assert {f"TF-MOT has no QAT scheme for {kind}" for kind in ("LayerScale", "MultiHeadAttention")} <= reasons
    assert next(rows.shape for rows in int8_kernels(made.litert)) == (8, 48)


@pytest.mark.parametrize("steps", [(PRUNED,), (PRUNED, CLUSTERED)], ids=["PQAT", "PCQAT"])
def test_zeros_of_layers_that_are_trained_in_float_are_kept(steps, bench):
    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, activation="relu", name="rounded")(image)
    shared = layers.Conv2D(8, 1, activation="elu", name="shared")
    x = layers.Conv2D(4, 1, activation="elu", name="alone")(shared(shared(x)))
    scores = layers.Dense(2, activation="softmax", name="scores")(layers.GlobalAveragePooling2D(name="pool")(x))
    model = keras.Model(image, scores)
    for path in ("shared", "alone"):
        kernel = layers_with_kernel(model)[path].kernel
        weights = kernel.numpy()
        values = np.sign(weights) * 0.3 if CLUSTERED in steps else weights
        kernel.assign(np.where(np.abs(weights) < np.median(np.abs(weights)), 0, values))
    before = kernel_rows(model)
    made = quantize(model, Quantize(qat=QAT), dataclasses.replace(bench, earlier=steps))
    for path in ("shared", "alone"):
        there = kernel_rows(made.model)[path]
        assert np.all(there[before[path] == 0] == 0)
        assert np.any(there != before[path])


def test_a_file_that_answers_otherwise_is_refused():
    rounding = Agreement(images=10, same_label=10, mean=0.01, largest=0.02)
    _check_agreement(Agreement(images=10, same_label=9, mean=0.029, largest=0.5), rounding=rounding)
    for mean in (0.031, float("nan")):
        with pytest.raises(ModelError, match=r"within 0.0300 on average.*the same label for 4 of 10 images"):
            _check_agreement(Agreement(images=10, same_label=4, mean=mean, largest=0.5), rounding=rounding)


def prepared(model: keras.Model, steps: tuple[Step, ...]) -> dict[str, np.ndarray]:
    """Does to the kernels what the steps would, without training; gives them as rows."""
    for path in KERNELS:
        kernel = layers_with_kernel(model)[path].kernel
        weights = kernel.numpy()
        pruned = np.abs(weights) < np.median(np.abs(weights)) if PRUNED in steps else np.zeros(weights.shape, bool)
        if CLUSTERED in steps:
            weights = np.sign(weights) * np.where(np.abs(weights) > np.quantile(np.abs(weights), 0.8), 0.5, 0.2)
        kernel.assign(np.where(pruned, 0, weights))
    return {path: kernel_rows(model)[path] for path in KERNELS}


def test_operations_of_keras_ops_and_augmentation_stay_in_float_and_the_rest_is_quantised(bench, images):
    keras.utils.set_random_seed(4)
    layers, ops = keras.layers, keras.ops
    image = keras.Input((SIDE, SIDE, 3))
    features = layers.Conv2D(8, 3, name="conv")(layers.Rescaling(1 / 255, name="scale")(layers.RandomFlip()(image)))
    features = ops.relu(layers.BatchNormalization(name="norm")(features))
    features = layers.Conv2D(8, 1, name="project")(features[:, ::2, ::2] ** 2)
    pooled = layers.Multiply()([ops.mean(features, axis=(1, 2)), np.full((1, 8), 2, np.float32)])
    model = keras.Model(image, ops.softmax(layers.Dense(2, name="logits")(pooled)))
    made = quantize(model, Quantize(qat=QuantizationAwareTraining()), bench)

    reasons = {skipped.layer: skipped.reason for skipped in made.skipped}
    assert {reason.rpartition(" ")[2] for reason in reasons.values()} == {
        "RandomFlip", "Rescaling", "GetItem", "Power", "Held", "Multiply",
    }  # fmt: skip
    assert len(int8_kernels(made.litert)) == 3
    sample = np.concatenate(list(images.sample(6).as_numpy_iterator()))
    np.testing.assert_allclose(ask(made.litert, sample), made.model.predict(sample, verbose=0), atol=0.06)
