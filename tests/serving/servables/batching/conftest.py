"""A SavedModel that tells of each row in what company it was answered."""

import pytest

from roadworthy.serving.servables.saved_model import SavedModelServable


@pytest.fixture(scope="session")
def company(tmp_path_factory):
    """`serving_default` of x: float32[rows, n] and word: string[rows]; `total` has one output that is no batch's."""
    import tensorflow as tf

    rows = [tf.TensorSpec([None, None], name="x"), tf.TensorSpec([None], tf.string, name="word")]

    class Company(tf.Module):
        def __init__(self):
            self.factor = tf.Variable(2.0)
            words = tf.lookup.KeyValueTensorInitializer(tf.constant(["one", "two"]), tf.constant([1.0, 2.0]))
            self.values = tf.lookup.StaticHashTable(words, 0.0)

        @tf.function(input_signature=rows)
        def answer(self, x, word):
            tf.debugging.assert_less(x, 1e6, message="too large")
            size = tf.shape(x)[0]
            return {
                "sum": tf.reduce_sum(x, axis=1) * self.factor + self.values.lookup(word),
                "together": tf.fill([size], size),
                "x": x,
                "word": tf.strings.join([word, "!"]),
            }

        @tf.function(input_signature=rows[:1])
        def total(self, x):
            return {"total": tf.reduce_sum(x), "together": tf.fill(tf.shape(x)[:1], tf.shape(x)[0])}

    folder = tmp_path_factory.mktemp("company") / "1"
    module = Company()
    signatures = {"serving_default": module.answer, "again": module.answer, "total": module.total}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return folder


@pytest.fixture
def opened(company):
    """Opens it with batching as it is to be."""
    servables = []

    def open_with(batching):
        servables.append(SavedModelServable(company, batching=batching))
        return servables[-1]

    yield open_with
    for servable in servables:
        servable.close()
