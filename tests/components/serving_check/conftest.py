import pytest
import tensorflow as tf

from contracts.digits import write_examples, write_litert, write_saved_model


@pytest.fixture(scope="session")
def examples_uri(tmp_path_factory):
    return write_examples(tmp_path_factory.mktemp("examples"), {"test": 3})


@pytest.fixture(scope="session")
def examples(examples_uri):
    """Serialized tf.Examples of digits."""
    (path,) = (examples_uri / "Split-test").iterdir()
    return list(tf.data.TFRecordDataset(str(path), compression_type="GZIP").as_numpy_iterator())


@pytest.fixture(params=[write_saved_model, write_litert], ids=["saved_model", "litert"])
def version_dir(request, tmp_path):
    return request.param(tmp_path / "digits" / "1")
