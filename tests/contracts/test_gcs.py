"""The local Cloud Storage under the clients that a run uses: google-cloud-storage, TensorFlow and Beam."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from contracts.gcs.server import Fault

BUCKET = "rw-bucket"


@pytest.fixture
def bucket(gcs):
    from google.cloud import storage

    return storage.Client().bucket(BUCKET)


def test_contents_come_back_as_they_were(bucket):
    blob = bucket.blob("some/näme with spaces.bin")
    content = bytes(range(256)) * 50 + b"\r\n--==\r\n"
    blob.upload_from_string(content, content_type="application/x-thing")
    again = bucket.get_blob(blob.name)
    assert again.download_as_bytes() == content
    assert (again.size, again.content_type) == (len(content), "application/x-thing")


def test_a_part_of_an_object_is_a_range(bucket):
    bucket.blob("range").upload_from_string(b"0123456789")
    assert bucket.blob("range").download_as_bytes(start=2, end=4) == b"234"


def test_an_object_may_be_empty(bucket):
    bucket.blob("empty/").upload_from_string(b"")
    assert bucket.get_blob("empty/").size == 0


def test_a_large_upload_comes_in_chunks(bucket, tmp_path):
    content = bytes(1_000_003)
    (tmp_path / "large").write_bytes(content)
    blob = bucket.blob("large", chunk_size=262_144)
    blob.upload_from_filename(tmp_path / "large")
    assert bucket.blob("large").download_as_bytes() == content


def test_a_generation_of_zero_lets_only_the_first_write_through(bucket):
    from google.api_core.exceptions import PreconditionFailed

    bucket.blob("first").upload_from_string(b"a", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        bucket.blob("first").upload_from_string(b"b", if_generation_match=0)
    assert bucket.blob("first").download_as_bytes() == b"a"


def test_of_many_writers_that_expect_one_generation_one_wins(bucket):
    from google.api_core.exceptions import PreconditionFailed

    before = bucket.blob("raced")
    before.upload_from_string(b"0")
    start = threading.Barrier(8)

    def write(number):
        start.wait()
        try:
            bucket.blob("raced").upload_from_string(b"%d" % number, if_generation_match=before.generation)
        except PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(8))) == 1


def test_a_listing_has_folders_and_pages(bucket, gcs):
    for name in ("list/a", "list/b/1", "list/b/2", "list/c"):
        bucket.blob(name).upload_from_string(b"x")
    listed = bucket.client.list_blobs(BUCKET, prefix="list/", delimiter="/", page_size=1)
    assert [blob.name for blob in listed] == ["list/a", "list/c"]
    assert listed.prefixes == {"list/b/"}


def test_objects_are_composed_copied_and_deleted(bucket, gcs):
    parts = [bucket.blob(f"parts/{number}") for number in range(3)]
    for number, part in enumerate(parts):
        part.upload_from_string(b"%d" % number)
    whole = bucket.blob("whole")
    whole.compose(parts)
    bucket.copy_blob(whole, bucket, "copied")
    assert bucket.blob("copied").download_as_bytes() == b"012"
    with bucket.client.batch():
        for part in parts:
            part.delete()
    assert gcs.names(BUCKET, "parts/") == []


def test_a_fault_is_answered_as_often_as_asked(bucket, gcs):
    bucket.blob("flaky").upload_from_string(b"x")
    gcs.faults.append(Fault("GET", "flaky", 503, times=2))
    assert bucket.blob("flaky").download_as_bytes() == b"x"
    assert gcs.faults == []


# In a process of its own: while TensorFlow writes a SavedModel's fingerprint it holds the interpreter's lock, and no
# server of the same process could answer.
TENSORFLOW = f"""
import tensorflow as tf

root = "gs://{BUCKET}/tf"
tf.io.gfile.makedirs(root + "/folder")
with tf.io.gfile.GFile(root + "/folder/text", "w") as file:
    file.write("hello " * 1000)
with tf.io.gfile.GFile(root + "/folder/empty", "w") as file:
    file.write("")
assert tf.io.gfile.GFile(root + "/folder/text").read() == "hello " * 1000
assert sorted(tf.io.gfile.listdir(root + "/folder")) == ["empty", "text"]
tf.io.gfile.rename(root + "/folder/text", root + "/moved")
assert tf.io.gfile.stat(root + "/moved").length == 6000
tf.io.gfile.rmtree(root)

class Twice(tf.Module):
    def __init__(self):
        self.factor = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
    def __call__(self, x):
        return self.factor * x

tf.saved_model.save(Twice(), "gs://{BUCKET}/saved/1")
print(float(tf.saved_model.load("gs://{BUCKET}/saved/1")(tf.constant(21.0))))
"""


def test_tensorflow_reads_writes_and_exports_through_its_own_file_system(gcs):
    words = [sys.executable, "-c", TENSORFLOW]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout == "42.0\n", done.stderr
    assert gcs.names(BUCKET, "tf/") == []
    assert {"saved/1/saved_model.pb", "saved/1/variables/variables.index"} <= set(gcs.names(BUCKET))
    assert "a-token-of-the-test" in gcs.tokens


def test_beam_writes_finds_and_reads_records(gcs):
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    options = PipelineOptions(["--direct_running_mode=in_memory", "--no_auth"])
    with beam.Pipeline(options=options) as pipeline:
        _ = pipeline | beam.Create(["a", "b", "c"]) | beam.io.WriteToText(f"gs://{BUCKET}/beam/out", num_shards=2)
    assert sorted(b"".join(gcs.read(BUCKET, name) for name in gcs.names(BUCKET, "beam/")).split()) == [b"a", b"b", b"c"]
    with beam.Pipeline(options=options) as pipeline:
        _ = (
            pipeline
            | beam.io.ReadFromText(f"gs://{BUCKET}/beam/out-*")
            | beam.io.WriteToText(f"gs://{BUCKET}/beam/again", num_shards=1)
        )
    found = gcs.read(BUCKET, gcs.names(BUCKET, "beam/again")[0]).split()
    assert sorted(found) == [b"a", b"b", b"c"]
