import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from roadworthy.serving.protos import DATA_TYPES, TensorProto
from roadworthy.serving.tensors import DTYPES, TensorError, from_proto, from_protos, to_proto

NUMERIC = [dtype for name, dtype in DTYPES.items() if name != "string"]
numbers = st.sampled_from(NUMERIC).flatmap(
    lambda dtype: npst.arrays(dtype.numpy, npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)
texts = st.lists(st.binary(max_size=5), max_size=6)


def objects(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def upstream(proto):
    from tensorflow.core.framework import tensor_pb2

    return tensor_pb2.TensorProto.FromString(proto.SerializeToString())


def ours(proto):
    return TensorProto.FromString(proto.SerializeToString())


@settings(max_examples=200)
@given(numbers)
def test_numbers_come_back_from_a_proto(array):
    back = from_proto(to_proto(array))
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


@settings(max_examples=100)
@given(numbers)
def test_tensorflow_reads_what_we_write_and_we_read_what_it_writes(array):
    import tensorflow as tf

    np.testing.assert_array_equal(tf.make_ndarray(upstream(to_proto(array))), array)
    np.testing.assert_array_equal(from_proto(ours(tf.make_tensor_proto(array, shape=array.shape))), array)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [63, 64, 65, 20_000])
def test_many_floats_are_the_same_for_tensorflow(dtype, count):
    import tensorflow as tf

    array = np.random.default_rng(count).normal(size=(count, 2)).astype(dtype)
    np.testing.assert_array_equal(tf.make_ndarray(upstream(to_proto(array))), array)
    back = from_proto(to_proto(array))
    np.testing.assert_array_equal(back, array)
    assert back.flags.writeable


@settings(max_examples=100)
@given(texts)
def test_strings_come_back_from_a_proto_and_from_tensorflow(values):
    import tensorflow as tf

    array = objects(values)
    assert from_proto(to_proto(array)).tolist() == values
    assert tf.make_ndarray(upstream(to_proto(array))).tolist() == values


@settings(max_examples=150)
@given(st.sampled_from(NUMERIC), st.integers(0, 3), st.integers(0, 4), st.randoms(use_true_random=False))
def test_typed_fields_repeat_their_last_value_as_in_tensorflow(dtype, given_values, more, random):
    import tensorflow as tf

    proto = TensorProto(dtype=DATA_TYPES[dtype.enum])
    proto.tensor_shape.dim.add(size=given_values + more)
    is_complex = dtype.field.endswith("complex_val")
    for _ in range(given_values * (2 if is_complex else 1)):
        getattr(proto, dtype.field).append(random.randint(0, 1) if dtype.name == "bool" else random.randint(0, 100))
    np.testing.assert_array_equal(from_proto(proto), tf.make_ndarray(upstream(proto)))


def test_strings_repeat_their_last_value():
    proto = TensorProto(dtype=DATA_TYPES["DT_STRING"], string_val=[b"a", b"b"])
    proto.tensor_shape.dim.add(size=4)
    assert from_proto(proto).tolist() == [b"a", b"b", b"b", b"b"]


def test_text_is_sent_as_utf8():
    assert from_proto(to_proto(np.array(["é", "b"]))).tolist() == ["é".encode(), b"b"]


def proto_of(dtype="DT_FLOAT", shape=(2,), **fields):
    proto = TensorProto(dtype=DATA_TYPES[dtype], **fields)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (proto_of(tensor_content=b"123"), "must have 8 bytes. Received: 3"),
        (proto_of(float_val=[1, 2, 3]), "must have 2 values. Received: 3"),
        (proto_of(shape=(-1,)), "shape must be known"),
        (proto_of(shape=(1 << 40,), float_val=[1]), "at most 268,435,456 bytes"),
        (proto_of(shape=(1 << 62, 4, 1 << 62)), "at most"),
        (proto_of(shape=(0, 1 << 62, 1 << 62)), "numpy can hold"),
        (proto_of(shape=(1,) * 70), "numpy can hold"),
        (proto_of("DT_INT8", int_val=[1000]), "in its range"),
        (proto_of("DT_STRING", tensor_content=b"ab"), "must be in string_val"),
        (proto_of("DT_COMPLEX64", scomplex_val=[1, 2, 3]), "must be pairs"),
        (proto_of("DT_RESOURCE"), "Received: DT_RESOURCE"),
        (proto_of("DT_BFLOAT16"), "Received: DT_BFLOAT16"),
        (proto_of("DT_INVALID"), "Received: DT_INVALID"),
    ],
    ids=str,
)
def test_a_malformed_proto_is_refused_with_its_reason(proto, message):
    with pytest.raises(TensorError, match=message):
        from_proto(proto)


def test_what_the_tensors_of_a_request_announce_together_is_bounded_before_any_is_made():
    # A quarter of it each, so that three would be made before the fifth is refused.
    quarter = proto_of(shape=(1 << 24,), float_val=[1])
    with pytest.raises(TensorError, match=r"tensors of a request must have at most .* Received: 335,544,320"):
        from_protos({str(index): quarter for index in range(5)})
    assert from_protos({"a": proto_of(float_val=[1]), "b": proto_of()})["a"].tolist() == [1, 1]


@pytest.mark.parametrize("array", [np.array(["2020"], "M8[D]"), np.array([1, None], object)])
def test_what_has_no_counterpart_is_refused(array):
    with pytest.raises(TensorError, match="Received: "):
        to_proto(array)


@settings(max_examples=200)
@given(st.binary(max_size=60))
def test_any_bytes_that_parse_give_a_tensor_or_a_tensor_error(data):
    from google.protobuf.message import DecodeError

    with contextlib.suppress(DecodeError, TensorError):
        assert isinstance(from_proto(TensorProto.FromString(data)), np.ndarray)
