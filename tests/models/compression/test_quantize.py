import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from roadworthy.models.bridge.graph import leaves
from roadworthy.models.compression.flatbuffer import int8_kernels
from roadworthy.models.compression.quantize import quantize
from roadworthy.models.compression.recipe import Quantize
from roadworthy.serving.errors import DataError, ModelError


@pytest.fixture(scope="module")
def converted(parent_file, train_files):
    """The parent with half of one kernel zeroed, and what it converts to."""
    from contracts.recipe import SIDE
    from roadworthy.models.compression.training_images import TrainingImages
    from roadworthy.models.export import load_keras

    model = load_keras(parent_file)
    kernel = leaves(model)["backbone/project"].kernel
    kernel.assign(np.where(np.abs(kernel) < np.median(np.abs(kernel)), 0, kernel))
    images = TrainingImages(train_files, height=SIDE, width=SIDE, batch_size=8, seed=1)
    return model, quantize(model, Quantize(calibration_images=40), images)


def test_scores_stay_close_to_the_parents(converted, images):
    model, flatbuffer = converted
    batch = next(images.batches().as_numpy_iterator())[0]
    np.testing.assert_allclose(answer(flatbuffer, batch), model(batch, training=False), atol=0.06)


@pytest.mark.parametrize("batch_size", [1, 5])
def test_the_batch_can_be_resized(batch_size, converted, images):
    _, flatbuffer = converted
    batch = next(images.batches().as_numpy_iterator())[0][:batch_size]
    one_by_one = np.concatenate([answer(flatbuffer, image[None]) for image in batch])
    np.testing.assert_allclose(answer(flatbuffer, batch), one_by_one, atol=1 / 256)


def test_borders_are_float32_images_and_scores(converted):
    interpreter = Interpreter(model_content=converted[1])
    details = [*interpreter.get_input_details(), *interpreter.get_output_details()]
    assert [(detail["dtype"], detail["shape_signature"].tolist()) for detail in details] == [
        (np.float32, [-1, 24, 24, 3]),
        (np.float32, [-1, 2]),
    ]


def test_zeroed_weights_are_zero_in_the_file(converted):
    model, flatbuffer = converted
    kernel = leaves(model)["backbone/project"].kernel.numpy()
    there = next(one for one in int8_kernels(flatbuffer) if one.shape == (16, 1, 1, 16))
    assert np.all(there.transpose(1, 2, 3, 0)[kernel == 0] == 0)


def test_an_empty_split_is_named(parent, no_images):
    with pytest.raises(DataError, match=r"at least one image.*\.gz"):
        quantize(parent, Quantize(), no_images)


def test_a_model_that_int8_cannot_hold_is_an_error(images):
    image = keras.Input((24, 24, 3), name="image")
    model = keras.Model(image, keras.ops.erf(keras.layers.GlobalAveragePooling2D()(image)))
    with pytest.raises(ModelError, match=r"convert to LiteRT int8.*\n?.*Erf"):
        quantize(model, Quantize(calibration_images=2), images)


def answer(flatbuffer: bytes, batch: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(model_content=flatbuffer)
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], batch.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], batch)
    interpreter.invoke()
    scores: np.ndarray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return scores
