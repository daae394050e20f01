import keras
import numpy as np
import pytest
import tensorflow as tf

from contracts.digits import CARD, SIDE, classifier
from roadworthy.models.export import export_litert, export_saved_model
from roadworthy.models.measure.layers import measure_layers, sparsity_of
from roadworthy.serving.errors import ModelError


def sparsity(version_dir) -> float:
    return sparsity_of(measure_layers(version_dir))


@pytest.fixture
def half_empty():
    """The classifier with every second weight of each kernel at zero, biases and batch norms as they were."""
    model = keras.models.clone_model(classifier())
    model.set_weights(classifier().get_weights())
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            kernel = layer.kernel.numpy()
            kernel.reshape(-1)[::2] = 0
            layer.kernel.assign(kernel)
    return model


def test_zeros_of_kernels_are_counted_in_a_saved_model(half_empty, tmp_path):
    export_saved_model(half_empty, CARD, tmp_path / "model")
    assert sparsity(tmp_path / "model") == pytest.approx(0.5, abs=1e-9)


def test_zeros_of_kernels_are_counted_in_a_litert_file(half_empty, tmp_path):
    flatbuffer = tf.lite.TFLiteConverter.from_keras_model(half_empty).convert()
    export_litert(flatbuffer, CARD, tmp_path / "model")
    assert sparsity(tmp_path / "model") == pytest.approx(0.5, abs=1e-9)


def test_small_weights_that_int8_rounds_away_are_zeros(litert, float_litert):
    assert sparsity(float_litert) == 0
    assert 0 < sparsity(litert) < 0.1


def test_a_trained_models_saved_model_has_no_zeros(saved_model):
    assert sparsity(saved_model) == 0


def test_a_constant_for_each_channel_is_no_kernel(tmp_path):
    image = keras.Input((SIDE, SIDE, 3))
    mean = keras.layers.Normalization(mean=[0.0, 0.0, 0.0], variance=[1.0, 1.0, 2.0])(image)
    scores = keras.layers.Dense(4, activation="softmax")(keras.layers.GlobalAveragePooling2D()(mean))
    flatbuffer = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, scores)).convert()
    export_litert(flatbuffer, CARD, tmp_path / "model")
    assert sparsity(tmp_path / "model") == 0


@pytest.mark.parametrize("zero_point", [0, 3])
def test_a_quantised_weight_is_zero_where_it_equals_its_zero_point(litert, tmp_path, zero_point):
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import Builder

    model = schema.ModelT.InitFromPackedBuf((litert / "model.tflite").read_bytes(), 0)
    for tensor in model.subgraphs[0].tensors:
        if len(tensor.shape) == 4 and model.buffers[tensor.buffer].data is not None:
            tensor.quantization.zeroPoint = np.full_like(tensor.quantization.zeroPoint, zero_point)
            model.buffers[tensor.buffer].data = np.full_like(model.buffers[tensor.buffer].data, 3)
        elif len(tensor.shape) == 2 and model.buffers[tensor.buffer].data is not None:
            model.buffers[tensor.buffer].data = np.full_like(model.buffers[tensor.buffer].data, 7)
    builder = Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    export_litert(bytes(builder.Output()), CARD, tmp_path / "model")
    convolutions, dense = 8 * 27 + 16 * 72, 4 * 144
    expected = convolutions / (convolutions + dense) if zero_point == 3 else 0
    assert sparsity(tmp_path / "model") == pytest.approx(expected)


def test_a_file_that_is_no_flatbuffer_is_refused(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"not a model at all")
    with pytest.raises(ModelError, match=r"model\.tflite must be a LiteRT model"):
        sparsity(tmp_path)


def test_a_folder_without_variables_is_refused(tmp_path):
    with pytest.raises(ModelError, match="SavedModel with variables"):
        sparsity(tmp_path)


def test_weights_of_a_type_without_a_rule_are_refused(litert, tmp_path):
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import Builder

    model = schema.ModelT.InitFromPackedBuf((litert / "model.tflite").read_bytes(), 0)
    for tensor in model.subgraphs[0].tensors:
        tensor.type = schema.TensorType.INT4 if len(tensor.shape) == 4 else tensor.type
    builder = Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    export_litert(bytes(builder.Output()), CARD, tmp_path / "model")
    with pytest.raises(ModelError, match="float32, float16, int8"):
        sparsity(tmp_path / "model")


def test_layers_are_called_by_their_names_and_count_their_values(half_empty, tmp_path):
    dense = half_empty.layers[-1]
    dense.kernel.assign(np.round(dense.kernel.numpy(), 1))
    export_saved_model(half_empty, CARD, tmp_path / "model")

    layers = {layer.name: layer for layer in measure_layers(tmp_path / "model")}

    counted = layers["scores/kernel"]
    kernel = dense.kernel.numpy()
    assert (counted.shape, counted.dtype, counted.weights) == ((144, 4), "float32", 576)
    assert counted.zeros == np.count_nonzero(kernel == 0)
    assert counted.unique == len(np.unique(kernel))
    assert counted.unique_per_channel == max(len(np.unique(channel)) for channel in kernel.T)
    assert len(layers) == 3


def test_a_litert_kernels_channels_are_its_rows(litert):
    for layer in measure_layers(litert):
        assert layer.dtype == "int8"
        assert 1 < layer.unique_per_channel <= min(255, layer.weights // layer.shape[0])
        assert layer.unique_per_channel <= layer.unique


def test_the_kernels_of_a_frozen_model_are_counted_once(half_empty, tmp_path):
    export_saved_model(half_empty, CARD, tmp_path / "whole")
    export_saved_model(half_empty, CARD, tmp_path / "frozen", frozen=True)

    whole, frozen = (measure_layers(tmp_path / name) for name in ("whole", "frozen"))

    assert sorted((one.shape, one.zeros, one.unique) for one in frozen) == sorted(
        (one.shape, one.zeros, one.unique) for one in whole
    )
