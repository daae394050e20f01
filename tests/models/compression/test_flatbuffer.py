import keras
import numpy as np
import pytest
import tensorflow as tf

from roadworthy.models.compression.flatbuffer import check_int8, check_zeros_kept, int8_kernels
from roadworthy.models.compression.quantize import quantize
from roadworthy.models.compression.recipe import Quantize
from roadworthy.serving.errors import ModelError


@pytest.fixture(scope="module")
def float_file(parent_file):
    from roadworthy.models.export import load_keras

    model = load_keras(parent_file)
    spec = tf.TensorSpec((1, 24, 24, 3), tf.float32)
    concrete = tf.function(lambda image: model(image, training=False)).get_concrete_function(spec)
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], model).convert()


def test_a_float_file_is_refused_with_its_operators_counted(float_file):
    with pytest.raises(ModelError, match=r"in float32: .*'CONV_2D': 2.* kernels in int8: 0"):
        check_int8(float_file)


def test_lost_zeros_are_refused(parent, images):
    flatbuffer = quantize(parent, Quantize(calibration_images=4), images)
    kernels = [kernel.astype(np.float32) for kernel in int8_kernels(flatbuffer)]
    check_zeros_kept(flatbuffer, kernels=kernels)
    kernels[0][:] = 0
    with pytest.raises(ModelError, match="must keep the zeros"):
        check_zeros_kept(flatbuffer, kernels=kernels)


def test_all_kernels_of_the_model_are_found(parent, images):
    flatbuffer = quantize(parent, Quantize(calibration_images=4), images)
    here = [weight for weight in parent.weights if "kernel" in weight.name]
    assert sorted(kernel.size for kernel in int8_kernels(flatbuffer)) == sorted(keras.ops.size(w) for w in here)
