"""What goes to a real server's identity model comes back as it was, of every dtype and shape."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from roadworthy.serving.client import Client, InvalidRequest, NotFound
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.run import ModelServer
from roadworthy.serving.tensors import DTYPES

NUMBERS = sorted(set(DTYPES) - {"string"})
IN_JSON = sorted(name for name in NUMBERS if not name.startswith("complex"))
FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def echo(tmp_path_factory):
    """A model with a signature for each dtype that answers what it is asked; `both` has two inputs and outputs."""
    import tensorflow as tf

    root = tmp_path_factory.mktemp("echo")
    module = tf.Module()
    signatures = {
        name: tf.function(lambda x: {"x": tf.identity(x)}).get_concrete_function(
            x=tf.TensorSpec(None, getattr(tf, name), name="x")
        )
        for name in DTYPES
    }
    signatures["both"] = tf.function(
        lambda a, b: {"sum": a + b, "text": tf.strings.as_string(a)}
    ).get_concrete_function(
        a=tf.TensorSpec([None], tf.float32, name="a"), b=tf.TensorSpec([None], tf.float32, name="b")
    )
    tf.saved_model.save(module, str(root / "echo" / "1"), signatures=signatures)
    with ModelServer(Manager.of_root(root)) as server:
        yield server


@pytest.fixture(scope="module", params=["grpc", "rest"])
def client(echo, request):
    port = echo.grpc_port if request.param == "grpc" else echo.rest_port
    with Client.open(f"127.0.0.1:{port}", transport=request.param) as opened:
        yield opened


def shapes(*, min_side=0):
    return arrays.array_shapes(min_dims=0, max_dims=3, min_side=min_side, max_side=3)


def same(client, signature, array):
    answer = client.predict("echo", {"x": array}, signature=signature)["x"]
    assert answer.dtype == (object if signature == "string" else array.dtype)
    np.testing.assert_array_equal(answer, array)
    assert answer.shape == array.shape


@FEW
@given(data=st.data())
def test_numbers_of_every_dtype_come_back(client, data):
    over_rest = client._asker.options.transport == "rest"
    name = data.draw(st.sampled_from(IN_JSON if over_rest else NUMBERS))
    # JSON's lists can't tell the sizes inside an empty one.
    array = data.draw(arrays.arrays(DTYPES[name].numpy, shapes(min_side=1 if over_rest else 0)))

    same(client, name, array)


@FEW
@given(data=st.data())
def test_strings_of_any_bytes_come_back(client, data):
    over_rest = client._asker.options.transport == "rest"
    shape = data.draw(shapes(min_side=1 if over_rest else 0))
    strings = np.empty(math.prod(shape), dtype=object)
    strings[:] = data.draw(st.lists(st.binary(max_size=8), min_size=strings.size, max_size=strings.size))

    same(client, "string", strings.reshape(shape))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0, 3.4028235e38, 1e-45])
@pytest.mark.parametrize("shape", [(), (2,)])
def test_the_odd_floats_come_back(client, value, shape):
    array = np.full(shape, value, np.float32)
    answer = client.predict("echo", {"x": array}, signature="float32")["x"]

    assert answer.tobytes() == array.tobytes() or (math.isnan(value) and np.isnan(answer).all())


@pytest.mark.parametrize("shape", [(0,), (2, 0)])
def test_empty_arrays_come_back(client, shape):
    same(client, "float32", np.zeros(shape, np.float32))


def test_a_value_without_a_name_goes_to_the_only_input(client):
    assert client.predict("echo", [1.5], signature="float32")["x"].tolist() == [1.5]
    assert client.predict("echo", "text", signature="string")["x"].tolist() == b"text"
    with pytest.raises(InvalidRequest, match=r"named where there are several, here \['a', 'b'\]"):
        client.predict("echo", [1.0], signature="both")


def test_only_the_outputs_wanted_are_answered(client):
    inputs = {"a": [1.0], "b": [2.0]}

    assert client.predict("echo", inputs, signature="both", outputs=["sum"])["sum"].tolist() == [3.0]
    assert client.predict("echo", inputs, signature="both", outputs=["sum"]).keys() == {"sum"}
    assert client.predict("echo", inputs, signature="both").keys() == {"sum", "text"}
    with pytest.raises(InvalidRequest, match="total"):
        client.predict("echo", inputs, signature="both", outputs=["total"])


def test_metadata_tells_the_signatures(client):
    signatures = client.metadata("echo")

    assert signatures.keys() >= {*DTYPES, "both"}
    assert {name: spec.dtype for name, spec in signatures["both"].outputs.items()} == {
        "sum": "float32",
        "text": "string",
    }
    assert signatures["both"].inputs["a"].shape == (None,)
    assert signatures["int8"].inputs["x"].shape is None


def test_a_version_is_asked_for_by_number(client):
    assert client.predict("echo", [1.0], signature="float32", version=1)["x"].tolist() == [1.0]
    assert client.status("echo", version=1)[0].state == "AVAILABLE"
    with pytest.raises(NotFound):
        client.status("echo", version=2)
    with pytest.raises(InvalidRequest, match="version or a label"):
        client.status("echo", version=1, label="stable")
    with pytest.raises(InvalidRequest, match="Unrecognized servable version label: stable"):
        client.predict("echo", [1.0], signature="float32", label="stable")


def test_complex_numbers_over_rest_are_refused_before_anything_is_sent(echo):
    with (
        Client.open(f"127.0.0.1:{echo.rest_port}", transport="rest") as client,
        pytest.raises(InvalidRequest, match="ask over gRPC"),
    ):
        client.predict("echo", np.zeros(1, np.complex64), signature="complex64")


def test_classes_and_numbers_of_examples(server, transport):
    port = server.grpc_port if transport == "grpc" else server.rest_port
    with Client.open(f"127.0.0.1:{port}", transport=transport) as client:
        examples = [{"x": 2.0}, {"x": [8.0]}]
        values = client.regress("half_plus_two", examples, signature="regress_x_to_y")
        classes = client.classify("half_plus_two", examples, signature="classify_x_to_y")

    assert (values.dtype, values.tolist()) == (np.float32, [3.0, 6.0])
    assert [[one.score for one in each] for each in classes] == [[3.0], [6.0]]
