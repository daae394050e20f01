"""Rows of different shapes in one batch: packed as bytes before they meet, padded to one shape after.

Upstream: tensorflow_serving/batching/batching_util.cc, AddPadding.
"""

from collections.abc import Sequence
from typing import Any, Final

_PACKED_PARTS: Final = 3


def pack_rows(tensor: Any) -> list[Any]:
    """A tensor as three that can be joined whatever the shape of its rows.

    Args:
        tensor: [rows, …] of a known rank >= 1, any dtype; at least one element in each row.

    Returns:
        The rows' values, string[rows]; their shape, int64[rows, rank - 1]; and what pads them, which is the tensor's
        first value, [rows].
    """
    import tensorflow as tf

    count = tf.shape(tensor)[0]
    packed = tf.map_fn(tf.io.serialize_tensor, tensor, fn_output_signature=tf.TensorSpec((), tf.string))
    shapes = tf.tile(tf.shape(tensor, out_type=tf.int64)[tf.newaxis, 1:], [count, 1])
    with tf.control_dependencies(
        [tf.debugging.Assert(tf.size(tensor) > 0, ["Got empty tensor in batch of non-empty tensors."])]
    ):
        fillers = tf.fill([count], tf.reshape(tensor, [-1])[0])
    return [packed, tf.ensure_shape(shapes, (None, tensor.shape.rank - 1)), fillers]


def unpack_rows(batch: Sequence[Any], tensors: Sequence[Any]) -> list[Any]:
    """The tensors of a batch, each padded to the largest size of every dimension.

    Args:
        batch: what `pack_rows` gave for each tensor in turn, rows of many requests joined.
        tensors: those that were packed; they lend shape and dtype.

    Returns:
        [rows, …] for each tensor.
    """
    parts = [batch[start : start + _PACKED_PARTS] for start in range(0, len(batch), _PACKED_PARTS)]
    return [_unpacked(part, tensor) for part, tensor in zip(parts, tensors, strict=True)]


def _unpacked(part: Sequence[Any], tensor: Any) -> Any:
    import tensorflow as tf

    packed, shapes, fillers = part
    largest = tf.reduce_max(shapes, axis=0)

    def row(one: tuple[Any, Any, Any]) -> Any:
        values, shape, filler = one
        parsed = tf.reshape(tf.io.parse_tensor(values, tensor.dtype), shape)
        after = largest - shape
        return tf.pad(parsed, tf.stack([tf.zeros_like(after), after], axis=1), constant_values=filler)

    spec = tf.TensorSpec([None] * (tensor.shape.rank - 1), tensor.dtype)
    padded = tf.map_fn(row, (packed, shapes, fillers), fn_output_signature=spec)
    return tf.ensure_shape(padded, tensor.shape)
