import keras
import numpy as np
import pytest
import tensorflow as tf

from roadworthy.models.compression.flatbuffer import (
    check_borders,
    check_levels_kept,
    check_quantized,
    check_zeros_kept,
    float_operators,
    int8_kernels,
    kernels,
)
from roadworthy.models.compression.kernels import kernel_rows, levels
from roadworthy.models.compression.quantize import quantize
from roadworthy.models.compression.recipe import Quantize
from roadworthy.serving.errors import ModelError


@pytest.fixture(scope="module")
def float_file(parent_file):
    from roadworthy.models.export import load_keras

    return tf.lite.TFLiteConverter.from_keras_model(load_keras(parent_file)).convert()


@pytest.fixture
def int8_file(parent, bench):
    return quantize(parent, Quantize(calibration_images=4), bench).litert


@pytest.mark.parametrize("wanted", ["int8", "16x8", "dynamic", "float16"])
def test_a_float_file_is_refused_with_its_kernels_counted(float_file, wanted):
    with pytest.raises(ModelError, match=rf"{wanted} must take .*'FLOAT32 image, FLOAT32 kernel': 4"):
        check_quantized(float_file, wanted)


@pytest.mark.parametrize("wanted", ["16x8", "dynamic", "float16"])
def test_an_int8_file_is_taken_for_no_other_type(int8_file, wanted):
    check_quantized(int8_file, "int8")
    with pytest.raises(ModelError, match=r"'INT8 image, INT8 kernel': 4"):
        check_quantized(int8_file, wanted)


def test_operators_in_float_are_named_with_what_they_write(float_file, int8_file):
    left = float_operators(float_file, "int8")
    assert [one.operator for one in left].count("CONV_2D") == 2
    assert any("backbone_1/add" in one.output for one in left)
    assert float_operators(int8_file, "int8") == []


def test_borders_of_another_type_are_refused(int8_file):
    check_borders(int8_file, "float32")
    with pytest.raises(ModelError, match=r"take and give uint8. Received: \['float32', 'float32'\]"):
        check_borders(int8_file, "uint8")


def test_lost_zeros_are_refused(int8_file):
    before = [kernel.astype(np.float32) for kernel in int8_kernels(int8_file)]
    check_zeros_kept(int8_file, before=before)
    # The largest kernel has gained some, which make up for none that another lost.
    before[0][:] = 0
    before[2][:] = 1
    with pytest.raises(ModelError, match=r"must keep the zeros of the model's: \[432\]"):
        check_zeros_kept(int8_file, before=before)


def test_more_values_a_channel_are_refused(int8_file):
    before = [kernel.astype(np.float32) for kernel in int8_kernels(int8_file)]
    check_levels_kept(int8_file, before=before)
    before[2] = np.sign(before[2])
    with pytest.raises(ModelError, match=r"16 channels of 16 weights must have no more values a channel .*: \[[23]\]"):
        check_levels_kept(int8_file, before=before)


def test_a_kernel_that_is_not_in_the_file_is_refused(int8_file):
    with pytest.raises(ModelError, match=r"3 channels of 5 weights .* Received: \[\]"):
        check_levels_kept(int8_file, before=[np.zeros((3, 5), np.float32)])


def test_all_kernels_of_the_model_are_found(parent, int8_file):
    here = [weight for weight in parent.weights if "kernel" in weight.name]
    assert sorted(kernel.size for kernel in int8_kernels(int8_file)) == sorted(keras.ops.size(w) for w in here)


def test_kernels_have_the_models_own_rows(parent, float_file):
    there = {kernel.rows.shape: kernel.rows for kernel in kernels(float_file)}
    for path in ("backbone/depthwise", "backbone/project", "scores"):
        rows = kernel_rows(parent)[path]
        np.testing.assert_allclose(there[rows.shape], rows, rtol=1e-6)


def test_levels_are_counted_in_the_richest_channel():
    assert levels(np.array([[1, 1, 2, 1], [0, 3, 0, 4]])) == 3
    assert levels(np.zeros((4, 2))) == 1
