import pytest

from roadworthy.serving.cores import available_cores
from roadworthy.serving.errors import ServeError
from roadworthy.serving.servables.batching.parameters import Batching


def test_defaults_are_upstream_s_with_a_thread_for_every_core():
    batching = Batching()
    assert (batching.max_batch_size, batching.timeout_us, batching.max_enqueued_batches) == (1000, 0, 10)
    assert batching.threads == available_cores()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_batch_size": 0}, "max_batch_size must be at least 1. Received: 0"),
        ({"timeout_us": -1}, "batch_timeout_micros must be at least 0. Received: -1"),
        ({"max_enqueued_batches": 0}, "max_enqueued_batches must be at least 1"),
        ({"threads": 0}, "num_batch_threads must be at least 1"),
        ({"allowed_batch_sizes": (2, 4)}, "last entry was 4; expected 1000"),
        ({"allowed_batch_sizes": (4, 2), "max_batch_size": 2}, "in increasing order"),
        ({"allowed_batch_sizes": (0, 2), "max_batch_size": 2}, "above 0"),
        ({"split_large": True, "max_batch_size": 4, "max_execution_batch_size": 8}, "in 1 to max_batch_size"),
    ],
)
def test_what_does_not_go_together_is_refused(given, message):
    with pytest.raises(ServeError, match=message):
        Batching(**given)


def test_the_last_allowed_size_is_that_of_the_largest_batch():
    Batching(max_batch_size=8, allowed_batch_sizes=(2, 8))
    Batching(max_batch_size=8, split_large=True, max_execution_batch_size=4, allowed_batch_sizes=(2, 4))
