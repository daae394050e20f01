"""A model that tells files by their length, refuses those that say `bad`, measures texts and doubles numbers."""

from pathlib import Path


def write_lengths(folder: Path) -> Path:
    """Writes it as a SavedModel with the outputs of Roadworthy's contract."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def classify(image_bytes):
        no_bad = tf.debugging.Assert(~tf.reduce_any(image_bytes == b"bad"), ["no image: bad"])
        with tf.control_dependencies([no_bad]):
            share = tf.cast(tf.strings.length(image_bytes), tf.float32) / 100
        scores = tf.stack([1 - share, share], axis=1)
        return {"scores": scores, "label": tf.gather(["short", "long"], tf.argmax(scores, axis=1))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def measure(text):
        return {"length": tf.strings.length(text)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def double(x):
        return {"y": 2 * x}

    signatures = {"image_bytes": classify, "measure": measure, "serving_default": double}
    tf.saved_model.save(tf.Module(), str(folder), signatures=signatures)
    return folder
