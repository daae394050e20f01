"""Batched twins of models of every make answer as the models themselves."""

import numpy as np
import pytest

from roadworthy.serving.contract import IMAGE_INPUT, IMAGE_SIGNATURE, SCORES
from roadworthy.serving.servables.base import Signature, TensorSpec
from roadworthy.serving.servables.batching.graph import can_be_batched
from roadworthy.serving.servables.batching.parameters import Batching
from roadworthy.serving.servables.open import open_servable
from roadworthy.serving.status import RequestError


@pytest.fixture
def both(request):
    opened = []

    def of(folder):
        opened.extend(open_servable(folder, batching=batching) for batching in (None, Batching(max_batch_size=8)))
        return opened[-2:]

    yield of
    for servable in opened:
        servable.close()


def test_variables_of_tensorflow_1_stay_those_of_the_model(both, half_plus_two):
    alone, batched = both(half_plus_two / "123")
    x = np.array([[1.0], [2.0]], np.float32)
    expected = alone.predict("serving_default", {"x": x})["y"]
    np.testing.assert_array_equal(expected, [[2.5], [3.0]])
    np.testing.assert_array_equal(batched.predict("serving_default", {"x": x})["y"], expected)


def test_our_own_classifiers_answer_the_same_in_batches(both, exported, png, jpeg):
    alone, batched = both(exported["first"])
    images = {IMAGE_INPUT: np.array([png, jpeg], dtype=object)}
    expected, answer = (servable.predict(IMAGE_SIGNATURE, images) for servable in (alone, batched))
    np.testing.assert_allclose(answer[SCORES], expected[SCORES], atol=1e-6)
    assert answer["label"].tolist() == expected["label"].tolist()
    with pytest.raises(RequestError, match=r"image 1 of the request: .* truncated"):
        batched.predict(IMAGE_SIGNATURE, {IMAGE_INPUT: np.array([png, png[: len(png) // 2]], dtype=object)})


@pytest.mark.parametrize(
    ("inputs", "outputs", "can"),
    [
        ([(None, 3)], [(None,)], True),
        ([None], [None], True),
        ([(None,), (None, 2)], [(None,), (None, 4)], True),
        ([(1, 3)], [(None,)], False),
        ([()], [(None,)], False),
        ([(None, 3)], [()], False),
        ([(None, 3)], [(None,), (2,)], False),
        ([], [(None,)], False),
    ],
)
def test_a_signature_can_be_batched_when_everything_in_it_has_rows(inputs, outputs, can):
    def named(shapes):
        return {f"t{index}": TensorSpec(f"t{index}", "float32", shape) for index, shape in enumerate(shapes)}

    assert can_be_batched(Signature(named(inputs), named(outputs))) is can
