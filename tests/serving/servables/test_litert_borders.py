import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from roadworthy.serving.servables.litert_borders import dequantize, has_numbers, quantize

NUMBERS = arrays(np.float32, 12, elements=st.floats(-300, 300, width=32))
INTEGERS = st.sampled_from([np.int8, np.uint8])
SCALES = st.floats(1 / 1024, 8, width=32)


def detail(dtype, scale=1.0, zero_point=0, scales=1):
    points = np.full(scales, zero_point, np.int32)
    return {
        "dtype": dtype,
        "quantization_parameters": {"scales": np.full(scales, scale, np.float32), "zero_points": points},
    }


@given(NUMBERS, INTEGERS, SCALES, st.data())
def test_a_number_comes_back_within_half_a_step_or_at_the_end_of_the_range(numbers, dtype, scale, data):
    limits = np.iinfo(dtype)
    zero_point = data.draw(st.integers(limits.min, limits.max))
    tensor = detail(dtype, scale, zero_point)
    low, high = ((limit - zero_point) * scale for limit in (limits.min, limits.max))
    back = dequantize(quantize(numbers, tensor), tensor)
    np.testing.assert_allclose(back, np.clip(numbers, low, high), atol=scale * 0.5001, rtol=1e-5)


@given(arrays(np.uint8, 16))
def test_uint8_with_a_scale_of_one_takes_the_pixels_themselves(pixels):
    np.testing.assert_array_equal(quantize(pixels.astype(np.float32), detail(np.uint8)), pixels)


@given(arrays(np.uint8, 16))
def test_int8_takes_pixels_moved_by_128(pixels):
    moved = quantize(pixels.astype(np.float32), detail(np.int8, zero_point=-128))
    np.testing.assert_array_equal(moved.astype(int), pixels.astype(int) - 128)


def test_float32_passes_as_it_is():
    numbers = np.array([0.25, 254.6], np.float32)
    assert quantize(numbers, detail(np.float32, scales=0)) is numbers
    assert dequantize(numbers, detail(np.float32, scales=0)) is numbers


@pytest.mark.parametrize(
    ("tensor", "told"),
    [
        (detail(np.float32, scales=0), True),
        (detail(np.int8), True),
        (detail(np.uint8, scale=0.5), True),
        (detail(np.int8, scales=0), False),
        (detail(np.int8, scales=3), False),
        (detail(np.int8, scale=0), False),
        (detail(np.int16), False),
        (detail(np.int64, scales=0), False),
    ],
)
def test_what_a_tensor_holds_can_be_told_by_one_scale(tensor, told):
    assert has_numbers(tensor) is told
