import pytest

from roadworthy.serving.errors import ServeError
from roadworthy.serving.servables.batching.parameters import Batching
from roadworthy.serving.server.batching_config import read_batching

# As upstream's guide has it: https://github.com/tensorflow/serving/blob/master/tensorflow_serving/batching/README.md
PARAMETERS = """
max_batch_size { value: 128 }
batch_timeout_micros { value: 5000 }
max_enqueued_batches { value: 100 }
num_batch_threads { value: 8 }
thread_pool_name { value: "threads" }
allowed_batch_sizes: 32
allowed_batch_sizes: 128
pad_variable_length_inputs: true
enable_large_batch_splitting { value: true }
"""


@pytest.fixture
def file(tmp_path):
    def written(text):
        path = tmp_path / "batching.config"
        path.write_text(text)
        return path

    return written


def test_a_file_is_read_as_upstream_s_message(file):
    assert read_batching(enabled=True, file=file(PARAMETERS)) == Batching(
        max_batch_size=128, timeout_us=5000, max_enqueued_batches=100, threads=8, allowed_batch_sizes=(32, 128),
        pad_variable_length_inputs=True, split_large=True,
    )  # fmt: skip


def test_what_a_file_leaves_out_is_the_default(file):
    assert read_batching(enabled=True, file=file("")) == read_batching(enabled=True, file=None) == Batching()


def test_nothing_is_batched_unless_asked_for():
    assert read_batching(enabled=False, file=None) is None


def test_a_file_without_batching_is_refused(file):
    with pytest.raises(ServeError, match="without setting --enable_batching to true"):
        read_batching(enabled=False, file=file(PARAMETERS))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_size: 128", "Error parsing text-format tensorflow.serving.BatchingParameters"),
        ("max_batch_sizes { value: 1 }", "Error parsing text-format tensorflow.serving.BatchingParameters"),
        ("allowed_batch_sizes: 32", "batching.config: Last entry in allowed_batch_sizes must match max_batch_size"),
        ("num_batch_threads { value: 0 }", "batching.config: num_batch_threads must be at least 1. Received: 0"),
    ],
)
def test_a_file_that_can_not_be_followed_is_named(file, text, message):
    with pytest.raises(ServeError, match=message):
        read_batching(enabled=True, file=file(text))
