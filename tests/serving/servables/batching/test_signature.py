"""Requests that really come at once: each thread waits for the others before it asks."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from roadworthy.serving.servables.batching.parameters import Batching
from roadworthy.serving.status import RequestError

# Long enough for every thread's request to be in the batch, and shorter than a test may take.
PATIENT = {"timeout_us": 300_000, "threads": 1}


def at_once(servable, requests, signature="serving_default"):
    """The answers to requests, or the RequestErrors, in order."""
    start = threading.Barrier(len(requests))

    def ask(inputs):
        start.wait()
        try:
            return servable.predict(signature, inputs)
        except RequestError as error:
            return error

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(ask, requests))


def request(*rows, word=b"one"):
    return {"x": np.array(rows, np.float32), "word": np.array([word] * len(rows), dtype=object)}


def test_requests_at_once_are_answered_as_one_batch_each_with_its_own_rows(opened):
    servable = opened(Batching(max_batch_size=4, allowed_batch_sizes=(2, 4), **PATIENT))
    answers = at_once(servable, [request([1, 2]), request([3, 4], word=b"two"), request([5, 6], word=b"else")])
    assert [answer["sum"].tolist() for answer in answers] == [[7.0], [16.0], [22.0]]
    assert [answer["word"].tolist() for answer in answers] == [[b"one!"], [b"two!"], [b"else!"]]
    # Three rows, padded to the next size that is allowed.
    assert {answer["together"].item() for answer in answers} == {4}


def test_each_signature_has_its_own_queue(opened):
    servable = opened(Batching(max_batch_size=2, **PATIENT))
    with ThreadPoolExecutor(2) as pool:
        names = ("serving_default", "again")
        asked = [pool.submit(at_once, servable, [request([1]), request([2])], name) for name in names]
    assert {answer["together"].item() for answers in asked for answer in answers.result()} == {2}


def test_a_signature_with_an_output_that_is_no_batch_s_is_answered_alone(opened):
    servable = opened(Batching(max_batch_size=4, **PATIENT))
    answers = at_once(servable, [{"x": np.full((1, 2), value, np.float32)} for value in (1, 2)], "total")
    assert [(answer["total"].item(), answer["together"].item()) for answer in answers] == [(2.0, 1), (4.0, 1)]


def test_one_request_s_fault_is_not_that_of_the_others_in_its_batch(opened):
    servable = opened(Batching(max_batch_size=3, **PATIENT))
    good, bad, other = at_once(servable, [request([1]), request([1e7]), request([2])])
    assert [good["sum"].tolist(), other["sum"].tolist()] == [[3.0], [5.0]]
    assert bad.code == "INVALID_ARGUMENT"
    assert "too large" in str(bad)


def test_a_full_queue_is_unavailable(opened):
    servable = opened(Batching(max_batch_size=1, max_enqueued_batches=1, timeout_us=0, threads=1))
    refused = []
    for _ in range(20):
        refused += [a for a in at_once(servable, [request([1])] * 16) if isinstance(a, RequestError)]
    assert {error.code for error in refused} == {"UNAVAILABLE"}
    assert "queue" in str(refused[0])
    assert "full" in str(refused[0])


def test_more_rows_than_a_batch_has_are_the_request_s_fault(opened):
    servable = opened(Batching(max_batch_size=2))
    (refused,) = at_once(servable, [request([1], [2], [3])])
    assert (refused.code, str(refused)) == (
        "INVALID_ARGUMENT", "Task size 3 is larger than maximum input batch size 2",
    )  # fmt: skip


def test_a_large_request_is_split_where_that_was_asked_for(opened):
    servable = opened(Batching(max_batch_size=8, split_large=True, max_execution_batch_size=3))
    answer = servable.predict("serving_default", request(*([value] for value in range(7))))
    assert answer["sum"].tolist() == [2.0 * value + 1 for value in range(7)]
    assert max(answer["together"]) <= 3


def test_rows_of_other_shapes_do_not_meet_unless_they_are_padded(opened):
    servable = opened(Batching(max_batch_size=2, **PATIENT))
    refused = at_once(servable, [request([1]), request([1, 2])])
    assert {error.code for error in refused} == {"FAILED_PRECONDITION"}
    assert "padding is turned off" in str(refused[0])


def test_rows_of_other_shapes_are_padded_with_their_own_first_value(opened):
    servable = opened(Batching(max_batch_size=4, pad_variable_length_inputs=True, **PATIENT))
    short, long, two = at_once(servable, [request([1]), request([5, 2, 3]), request([7], [8])])
    assert short["x"].tolist() == [[1, 1, 1]]
    assert long["x"].tolist() == [[5, 2, 3]]
    assert two["x"].tolist() == [[7, 7, 7], [8, 7, 7]]
    assert two["together"].tolist() == [4, 4]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"x": np.float32(1), "word": np.array([b"one"], object)}, "must have at least one dimension"),
        ({"x": np.ones((2, 1), np.float32), "word": np.array([b"one"], object)}, "equal 0th-dimension size"),
    ],
)
def test_inputs_without_common_rows_are_refused(opened, inputs, message):
    servable = opened(Batching(max_batch_size=4))
    with pytest.raises(RequestError, match=message) as refused:
        servable.predict("serving_default", inputs)
    assert refused.value.code == "INVALID_ARGUMENT"


def test_no_rows_are_answered_with_the_shape_they_have_alone(opened):
    answer = opened(Batching(max_batch_size=4)).predict("serving_default", empty())
    assert answer["x"].shape == (0, 2)


def empty():
    return {"x": np.ones((0, 2), np.float32), "word": np.array([], dtype=object)}


def test_only_the_outputs_wanted_are_given(opened):
    answer = opened(Batching(max_batch_size=4)).predict("serving_default", request([1]), ["sum"])
    assert answer.keys() == {"sum"}
