import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.serving.servables.batching.padding import pack_rows, unpack_rows


def together(tensors):
    """Packs each tensor, joins the rows, and unpacks them, as a batch does."""
    rank = tensors[0].ndim
    like = tf.TensorSpec([None] * rank, tf.as_dtype(tensors[0].dtype if tensors[0].dtype != object else tf.string))
    packed = [pack_rows(tf.constant(tensor, dtype=like.dtype)) for tensor in tensors]
    joined = [tf.concat(parts, axis=0) for parts in zip(*packed, strict=True)]
    (padded,) = unpack_rows(joined, [like])
    return padded.numpy()


def padded(tensor, shape):
    filled = np.full((len(tensor), *shape), tensor.ravel()[0], dtype=tensor.dtype)
    filled[tuple(slice(0, size) for size in tensor.shape)] = tensor
    return filled


@settings(max_examples=25)
@given(st.data(), st.sampled_from([np.float32, np.int64, object]), st.integers(0, 2))
def test_rows_are_padded_to_the_largest_of_each_dimension(data, dtype, dimensions):
    sizes = st.tuples(*[st.integers(1, 4)] * (dimensions + 1))
    shapes = data.draw(st.lists(sizes, min_size=1, max_size=4))
    tensors = [np.arange(1, np.prod(shape) + 1).reshape(shape) for shape in shapes]
    tensors = [
        tensor.astype(str).astype(bytes).astype(object) if dtype is object else tensor.astype(dtype)
        for tensor in tensors
    ]
    largest = np.max([shape[1:] for shape in shapes], axis=0).astype(int)
    np.testing.assert_array_equal(together(tensors), np.concatenate([padded(tensor, largest) for tensor in tensors]))


def test_an_empty_tensor_has_nothing_to_be_padded_with():
    with pytest.raises(tf.errors.InvalidArgumentError, match="empty tensor in batch of non-empty tensors"):
        together([np.ones((1, 2), np.float32), np.ones((1, 0), np.float32)])
