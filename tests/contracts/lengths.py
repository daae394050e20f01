"""A model that tells image files by their length, measures texts and doubles numbers."""

from pathlib import Path

from contracts.pictures import encode, pixels


def picture(size_bytes: int) -> bytes:
    """An image file of that length, at least 100 bytes; what is added stands behind its end."""
    return encode(pixels(0, height=1, width=1)).ljust(size_bytes, b"x")


def write_lengths(folder: Path) -> Path:
    """Writes it as a SavedModel with the outputs of Roadworthy's contract."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def classify(image_bytes):
        share = tf.cast(tf.strings.length(image_bytes), tf.float32) / 400
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
