"""SavedModels of any maker, not only ours."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from contracts.pictures import png_bomb
from roadworthy.serving.servables.open import open_servable
from roadworthy.serving.status import RequestError


@pytest.fixture(scope="module")
def add_dir(tmp_path_factory):
    """A SavedModel without a card: two named inputs, two outputs, and a scalar string."""
    import tensorflow as tf

    class Add(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 2], name="a"), tf.TensorSpec([None, 2], name="b")])
        def add(self, a, b):
            return {"total": a + b, "name": tf.constant(b"add")}

    folder = tmp_path_factory.mktemp("add") / "1"
    module = Add()
    tf.saved_model.save(module, str(folder), signatures=module.add)
    return folder


@pytest.fixture(scope="module")
def add(add_dir):
    servable = open_servable(add_dir)
    yield servable
    servable.close()


def test_a_foreign_model_has_no_card_and_tells_its_signature(add):
    assert add.card is None
    spec = add.signatures["serving_default"].inputs["a"]
    assert (spec.name, spec.dtype, spec.shape) == ("a", "float32", (None, 2))


def test_a_foreign_model_answers_by_name(add):
    ones = np.ones((3, 2), np.float32)
    answer = add.predict("serving_default", {"b": ones, "a": 2 * ones})
    np.testing.assert_array_equal(answer["total"], 3 * ones)
    assert answer["name"].tolist() == b"add"


def test_shapes_that_do_not_fit_each_other_are_the_requests_fault(add):
    with pytest.raises(RequestError, match=r"Incompatible shapes: \[3,2\] vs. \[2,2\]") as refused:
        add.predict("serving_default", {"a": np.ones((3, 2), np.float32), "b": np.ones((2, 2), np.float32)})
    assert refused.value.code == "INVALID_ARGUMENT"


def test_a_shape_the_signature_does_not_have_is_the_requests_fault(add):
    with pytest.raises(RequestError) as refused:
        add.predict("serving_default", {"a": np.ones((3, 5), np.float32), "b": np.ones((2, 2), np.float32)})
    assert refused.value.code == "INVALID_ARGUMENT"


@pytest.fixture(scope="module")
def careless(tmp_path_factory):
    """A SavedModel that takes image bytes and would take any: what it never sees it can't refuse."""
    import tensorflow as tf

    class Count(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        def count(self, image_bytes):
            return {"length": tf.strings.length(image_bytes)}

    folder = tmp_path_factory.mktemp("careless") / "1"
    module = Count()
    tf.saved_model.save(module, str(folder), signatures={"image_bytes": module.count})
    servable = open_servable(folder)
    yield servable
    servable.close()


def test_image_bounds_are_checked_before_tensorflow_sees_the_bytes(careless, png):
    answer = careless.predict("image_bytes", {"image_bytes": np.array([png], dtype=object)})
    assert answer["length"].tolist() == [len(png)]
    with pytest.raises(RequestError, match=r"image 1 of the request: .* Received: 30,000 x 30,000"):
        careless.predict("image_bytes", {"image_bytes": np.array([png, png_bomb()], dtype=object)})


@pytest.fixture
def made_ready(monkeypatch) -> list[object]:
    """What TensorFlow made ready to be called, which takes it long."""
    import tensorflow as tf

    session, ready = tf.compat.v1.Session, []
    make = session._make_callable_from_options
    monkeypatch.setattr(
        session, "_make_callable_from_options", lambda self, options: ready.append(options) or make(self, options)
    )
    return ready


def ask_at_once(servable, *, outputs=None, times: int = 8) -> list[dict]:
    all_there = threading.Barrier(times)

    def ask(_: int) -> dict:
        all_there.wait()
        ones = np.ones((1, 2), np.float32)
        return servable.predict("serving_default", {"a": ones, "b": ones}, outputs)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(ask, range(times)))


def test_the_first_requests_of_a_version_find_it_ready(add_dir, made_ready):
    servable = open_servable(add_dir)
    before = len(made_ready)

    answers = ask_at_once(servable)

    assert len(made_ready) == before
    assert all(answer["total"].tolist() == [[2, 2]] for answer in answers)


def test_outputs_that_are_wanted_at_once_for_the_first_time_are_made_ready_once(add_dir, made_ready):
    servable = open_servable(add_dir)
    before = len(made_ready)

    ask_at_once(servable, outputs=["total"])

    assert len(made_ready) == before + 1
