"""LiteRT files of other makers, as TF Serving serves them."""

from concurrent.futures import ThreadPoolExecutor

import flatbuffers
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers
from tensorflow.core.protobuf import meta_graph_pb2

from roadworthy.serving.contract import LITERT_FILE
from roadworthy.serving.errors import ServeError
from roadworthy.serving.servables.open import open_servable
from roadworthy.serving.status import RequestError


class Pair(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], name="a"), tf.TensorSpec([None, 2], name="b")])
    def add(self, a, b):
        return {"total": a + b}

    @tf.function(input_signature=[tf.TensorSpec([None, 2], name="a")])
    def double(self, a):
        return {"twice": 2 * a}


@pytest.fixture(scope="module")
def flatbuffer():
    module = Pair()
    return tf.lite.TFLiteConverter.from_concrete_functions([module.add.get_concrete_function()], module).convert()


@pytest.fixture
def opened(tmp_path):
    servables = []

    def of(content):
        (tmp_path / LITERT_FILE).write_bytes(content)
        servables.append(open_servable(tmp_path))
        return servables[-1]

    yield of
    for servable in servables:
        servable.close()


def with_metadata(content, **signatures):
    """As `tflite::SetSignatureDefMap` writes it."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    packed = flexbuffers.Dumps({key: signature.SerializeToString() for key, signature in signatures.items()})
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data, entry.name, entry.buffer = (
        np.frombuffer(packed, np.uint8),
        "signature_defs_metadata",
        len(model.buffers),
    )
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def signature_def(inputs, outputs):
    made = meta_graph_pb2.SignatureDef(method_name="tensorflow/serving/predict")
    for tensors, names in ((made.inputs, inputs), (made.outputs, outputs)):
        for key, name in names.items():
            tensors[key].name = name
    return made


def tensor_names(content):
    interpreter = tf.lite.Interpreter(model_content=content)
    return tuple(
        [d["name"] for d in details] for details in (interpreter.get_input_details(), interpreter.get_output_details())
    )


ONES = np.ones((1, 2), np.float32)


def test_tensors_have_their_own_names_where_the_file_gives_no_others(opened, flatbuffer):
    servable, (inputs, outputs) = opened(flatbuffer), tensor_names(flatbuffer)
    assert servable.card is None
    signature = servable.signatures["serving_default"]
    assert list(signature.inputs) == inputs
    assert list(signature.outputs) == outputs
    spec = signature.inputs[inputs[0]]
    assert (spec.dtype, spec.shape) == ("float32", (None, 2))
    answer = servable.predict("serving_default", dict.fromkeys(inputs, ONES))
    np.testing.assert_array_equal(answer[outputs[0]], 2 * ONES)


def test_a_request_may_have_any_batch_size_and_the_next_another(opened, flatbuffer):
    servable, (inputs, outputs) = opened(flatbuffer), tensor_names(flatbuffer)
    for rows in (1, 5, 2, 5, 300):
        tensor = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
        answer = servable.predict("serving_default", dict.fromkeys(inputs, tensor))
        np.testing.assert_array_equal(answer[outputs[0]], 2 * tensor)


def test_threads_get_the_answers_to_their_own_batches(opened, flatbuffer):
    servable, (inputs, outputs) = opened(flatbuffer), tensor_names(flatbuffer)
    tensors = [np.full((rows, 2), rows, np.float32) for rows in range(1, 9)] * 10
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda t: servable.predict("serving_default", dict.fromkeys(inputs, t)), tensors))
    for tensor, answer in zip(tensors, answers, strict=True):
        np.testing.assert_array_equal(answer[outputs[0]], 2 * tensor)


def test_tensors_have_the_names_of_the_signature_in_the_metadata(opened, flatbuffer):
    (first, second), (total,) = tensor_names(flatbuffer)
    told = signature_def({"left": first, "right": second}, {"sum": total})
    servable = opened(with_metadata(flatbuffer, any_key=told))
    assert servable.signatures["serving_default"].inputs.keys() == {"left", "right"}
    answer = servable.predict("serving_default", {"left": ONES, "right": 3 * ONES})
    np.testing.assert_array_equal(answer["sum"], 4 * ONES)


def test_two_signatures_in_the_metadata_are_refused_as_upstream_does(opened, flatbuffer):
    told = signature_def({}, {})
    with pytest.raises(ServeError, match=r"must have one SignatureDef. Received: one, two"):
        opened(with_metadata(flatbuffer, one=told, two=told))


def test_a_signature_that_leaves_out_a_tensor_is_refused(opened, flatbuffer):
    (first, _), (total,) = tensor_names(flatbuffer)
    with pytest.raises(ServeError, match="must name every tensor"):
        opened(with_metadata(flatbuffer, key=signature_def({"left": first}, {"sum": total})))


def test_the_converter_s_other_signatures_answer_too(opened, tmp_path):
    module = Pair()
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures={"add": module.add, "double": module.double})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"), signature_keys=["add", "double"])
    servable = opened(converter.convert())
    for rows in (1, 3):
        tensor = np.ones((rows, 2), np.float32)
        np.testing.assert_array_equal(servable.predict("double", {"a": tensor})["twice"], 2 * tensor)
        np.testing.assert_array_equal(servable.predict("add", {"a": tensor, "b": tensor})["total"], 2 * tensor)


def test_strings_go_in_and_come_out(opened):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
    def same(words):
        return {"words": tf.reshape(words, [-1, 1])}

    content = tf.lite.TFLiteConverter.from_concrete_functions([same.get_concrete_function()]).convert()
    servable, ((given,), (answered,)) = opened(content), tensor_names(content)
    words = np.array([b"one", b"", b"\xff three"], dtype=object)
    answer = servable.predict("serving_default", {given: words})
    assert answer[answered].tolist() == [[b"one"], [b""], [b"\xff three"]]


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (1, 1, 1)])
def test_dimensions_of_size_one_may_be_missing_or_too_many(opened, shape):
    @tf.function(input_signature=[tf.TensorSpec([1, 1], name="x")])
    def half_plus_two(x):
        return {"y": 0.5 * x + 2}

    content = tf.lite.TFLiteConverter.from_concrete_functions([half_plus_two.get_concrete_function()]).convert()
    servable, ((given,), (answered,)) = opened(content), tensor_names(content)
    assert servable.predict("serving_default", {given: np.full(shape, 2, np.float32)})[answered].tolist() == [[3.0]]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2,), r"must have 2 dimensions, as \['\?', 2\] has, and no empty one. Received: \[2\]"),
        ((0, 2), r"no empty one. Received: \[0, 2\]"),
        ((1, 1, 2), "Received: .1, 1, 2"),
        ((2, 5), "The model must be able to run on its inputs"),
    ],
)
def test_shapes_that_it_can_not_run_on_are_the_request_s_fault(opened, flatbuffer, shape, message):
    servable, (inputs, _) = opened(flatbuffer), tensor_names(flatbuffer)
    asked = {inputs[0]: np.ones(shape, np.float32), inputs[1]: ONES}
    with pytest.raises(RequestError, match=message) as refused:
        servable.predict("serving_default", asked)
    assert refused.value.code == "INVALID_ARGUMENT"
    # And the next request is answered all the same.
    assert servable.predict("serving_default", dict.fromkeys(inputs, ONES))
