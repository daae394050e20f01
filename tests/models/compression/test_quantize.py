import dataclasses

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from contracts.recipe import SIDE
from roadworthy.models.bridge.graph import leaves
from roadworthy.models.compression.agreement import ask
from roadworthy.models.compression.flatbuffer import int8_kernels, kernels
from roadworthy.models.compression.kernels import kernel_rows, layers_with_kernel, levels
from roadworthy.models.compression.patterns import is_two_of_four, sparsity
from roadworthy.models.compression.prune import prune
from roadworthy.models.compression.quantize import quantize
from roadworthy.models.compression.recipe import Prune, Quantize, Step
from roadworthy.serving.errors import DataError, ModelError


@pytest.fixture(scope="module")
def made(parent_file, train_files):
    """The parent with half of one kernel zeroed, and what it converts to."""
    from roadworthy.models.compression.made import Bench
    from roadworthy.models.compression.training_images import TrainingImages
    from roadworthy.models.export import load_keras
    from roadworthy.serving.contract import ModelCard

    model = load_keras(parent_file)
    kernel = leaves(model)["backbone/project"].kernel
    kernel.assign(np.where(np.abs(kernel) < np.median(np.abs(kernel)), 0, kernel))
    images = TrainingImages(train_files, height=SIDE, width=SIDE, batch_size=8, seed=1)
    card = ModelCard(labels=("china", "flower"), image_height=SIDE, image_width=SIDE)
    bench = Bench(images=images, card=card, earlier=(), teacher=lambda: load_keras(parent_file))
    return quantize(model, Quantize(calibration_images=40), bench)


def test_the_file_and_the_model_beside_it_agree(made, images):
    batch = next(images.batches().as_numpy_iterator())[0]
    scores = made.model(batch, training=False).numpy()
    np.testing.assert_allclose(answer(made.litert, batch), scores, atol=0.06)
    assert answer(made.litert, batch).argmax(axis=1).tolist() == scores.argmax(axis=1).tolist()
    assert "the same label for 40 of 40 images" in made.notes[0]


@pytest.mark.parametrize("batch_size", [1, 5])
def test_the_batch_can_be_resized(batch_size, made, images):
    batch = next(images.batches().as_numpy_iterator())[0][:batch_size]
    one_by_one = np.concatenate([answer(made.litert, image[None]) for image in batch])
    np.testing.assert_allclose(answer(made.litert, batch), one_by_one, atol=1 / 256)


def test_borders_are_float32_images_and_scores(made):
    assert borders(made.litert) == [(np.float32, [-1, 24, 24, 3]), (np.float32, [-1, 2])]


@pytest.mark.parametrize(("io", "zero_point"), [("uint8", 0), ("int8", -128)])
def test_integer_borders_take_whole_pixels_and_give_the_same_scores(io, zero_point, parent, bench):
    file = quantize(parent, Quantize(io=io, calibration_images=8), bench).litert
    assert borders(file) == [(np.dtype(io), [-1, 24, 24, 3]), (np.dtype(io), [-1, 2])]
    # The calibration images need not hold 0 and 255; the input's grid has them.
    assert Interpreter(model_content=file).get_input_details()[0]["quantization"] == (1.0, zero_point)
    sample = np.concatenate(list(bench.images.sample(6).as_numpy_iterator()))
    np.testing.assert_allclose(ask(file, sample), parent.predict(sample, verbose=0), atol=0.06)


def test_zeroed_weights_are_zero_in_the_file(made):
    rows = kernel_rows(made.model)["backbone/project"]
    there = next(one for one in int8_kernels(made.litert) if one.shape == rows.shape)
    assert np.mean(rows == 0) >= 0.5
    assert np.all(there[rows == 0] == 0)


@pytest.mark.parametrize(("kind", "types"), [("16x8", ("INT16", "INT8")), ("float16", ("FLOAT32", "FLOAT16"))])
def test_other_types_are_what_the_file_really_has(kind, types, parent, bench):
    made = quantize(parent, Quantize(type=kind, calibration_images=8), bench)
    found = {(kernel.image_type, kernel.stored_type) for kernel in kernels(made.litert)}
    assert found == {types}
    assert made.skipped == ()
    sample = np.concatenate(list(bench.images.sample(6).as_numpy_iterator()))
    np.testing.assert_allclose(ask(made.litert, sample), made.model.predict(sample, verbose=0), atol=0.002)


def test_dynamic_lists_the_kernels_it_leaves_in_float(bench):
    image = keras.Input((SIDE, SIDE, 3), name="image")
    features = keras.layers.Conv2D(16, 3, strides=2, activation="relu", name="small")(image)
    features = keras.layers.Conv2D(16, 3, strides=2, name="large")(features)
    scores = keras.layers.Dense(2, activation="softmax", name="head")(keras.layers.GlobalAveragePooling2D()(features))
    made = quantize(keras.Model(image, scores), Quantize(type="dynamic"), bench)
    assert [(kernel.image_type, kernel.stored_type) for kernel in kernels(made.litert)] == [
        ("FLOAT32", "FLOAT32"),
        ("FLOAT32", "INT8"),
        ("FLOAT32", "FLOAT32"),
    ]
    assert [skipped.layer.split("/")[1] for skipped in made.skipped] == ["small_1", "head_1"]
    assert "less than 1,024 weights" in made.skipped[0].reason


def test_dynamic_with_nothing_large_enough_is_an_error(parent, bench):
    with pytest.raises(ModelError, match=r"converted to dynamic .* less than 1,024 weights alone; use int8"):
        quantize(parent, Quantize(type="dynamic"), bench)


def test_clusters_are_kept_in_all_channels_of_the_file(parent, bench):
    for path in ("backbone/stem/conv", "backbone/project", "scores"):
        kernel = layers_with_kernel(parent)[path].kernel
        kernel.assign(np.round(kernel.numpy() * 4 / np.abs(kernel.numpy()).max()) / 7)
    values = {rows.shape: len(np.unique(rows)) for rows in kernel_rows(parent).values()}
    steps = (Step.model_validate({"cluster": {"clusters": 9}}),)
    made = quantize(parent, Quantize(calibration_images=8), dataclasses.replace(bench, earlier=steps))
    for path in ("backbone/stem/conv", "backbone/project", "scores"):
        rows = next(one for one in int8_kernels(made.litert) if one.shape == kernel_rows(made.model)[path].shape)
        assert len(np.unique(rows)) <= values[rows.shape]
        assert levels(rows) > 1


def test_two_of_four_are_zero_in_the_file(parent, bench):
    pruned = prune(parent, Prune(pattern="2:4"), bench).model
    steps = (Step.model_validate({"prune": {"pattern": "2:4"}}),)
    made = quantize(pruned, Quantize(calibration_images=8), dataclasses.replace(bench, earlier=steps))
    for path, inputs in (("backbone/stem/conv", 3), ("backbone/project", 16), ("scores", 16)):
        rows = next(one for one in int8_kernels(made.litert) if one.shape == kernel_rows(parent)[path].shape)
        assert is_two_of_four(np.moveaxis(rows.reshape(len(rows), -1, inputs), 0, -1))
        assert sparsity(rows) >= (1 / 3 if inputs < 4 else 1 / 2)


@pytest.mark.parametrize("kind", ["int8", "16x8", "dynamic", "float16"])
def test_a_cluster_is_one_value_of_the_file_or_the_record_says_it_is_not(kind, bench):
    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = layers.Conv2D(16, 3, strides=2, activation="relu", name="small")(image)
    x = layers.Conv2D(16, 3, strides=2, use_bias=False, name="large")(x)
    norm = layers.BatchNormalization(name="norm")
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(norm(x)))
    model = keras.Model(image, layers.Dense(2, activation="softmax", name="head")(x))
    norm.gamma.assign(np.linspace(0.5, 1.5, 16))
    for path in ("small", "large"):
        kernel = layers_with_kernel(model)[path].kernel
        kernel.assign(np.round(kernel.numpy() * 4 / np.abs(kernel.numpy()).max()) / 7)
    steps = (Step.model_validate({"cluster": {"clusters": 9}}),)
    made = quantize(model, Quantize(type=kind, calibration_images=8), dataclasses.replace(bench, earlier=steps))
    values = {kernel.rows.shape: len(np.unique(kernel.rows)) for kernel in kernels(made.litert)}
    assert values[16, 27] <= 9
    assert (values[16, 144] <= 9) == (kind != "float16")
    told = [note for note in made.notes if "large" in note]
    assert bool(told) == (kind == "float16")


def test_an_operator_that_int8_lacks_stays_in_float_and_is_listed(bench):
    image = keras.Input((SIDE, SIDE, 3), name="image")
    features = keras.layers.Conv2D(4, 3, strides=2, name="conv")(image)
    features = keras.layers.GlobalAveragePooling2D()(keras.ops.negative(features))
    model = keras.Model(image, keras.layers.Dense(2, activation="softmax")(features))
    made = quantize(model, Quantize(calibration_images=8), bench)
    assert [skipped.reason.partition(",")[0] for skipped in made.skipped] == ["LiteRT has no int8 version of NEG"]
    assert {kernel.image_type for kernel in kernels(made.litert)} == {"INT8"}


def test_an_operator_that_litert_lacks_is_an_error(bench):
    image = keras.Input((24, 24, 3), name="image")
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    model = keras.Model(image, keras.ops.erf(keras.layers.Dense(2)(pooled)))
    with pytest.raises(ModelError, match=r"convert to LiteRT int8.*\n?.*Erf"):
        quantize(model, Quantize(calibration_images=2), bench)


def test_an_empty_split_is_named(parent, bench, no_images):
    with pytest.raises(DataError, match=r"at least one image.*\.gz"):
        quantize(parent, Quantize(), dataclasses.replace(bench, images=no_images))


def borders(flatbuffer: bytes) -> list[tuple[type, list[int]]]:
    interpreter = Interpreter(model_content=flatbuffer)
    details = [*interpreter.get_input_details(), *interpreter.get_output_details()]
    return [(detail["dtype"], detail["shape_signature"].tolist()) for detail in details]


def answer(flatbuffer: bytes, batch: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(model_content=flatbuffer)
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], batch.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], batch)
    interpreter.invoke()
    scores: np.ndarray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return scores
