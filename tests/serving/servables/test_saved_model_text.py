"""A model with ops of TensorFlow Text, in a process that has not imported it."""

import subprocess
import sys

import tensorflow as tf

ASK = """
import sys, numpy as np
from pathlib import Path
from roadworthy.serving.errors import ServeError
from roadworthy.serving.servables import saved_model

text, saved_model._TEXT_OPS = saved_model._TEXT_OPS, "not_installed"
try:
    saved_model.SavedModelServable(Path(sys.argv[1]))
except ServeError as error:
    assert "Op type not registered" in str(error) and "pip install tensorflow-text" in str(error), error
saved_model._TEXT_OPS = text
servable = saved_model.SavedModelServable(Path(sys.argv[1]))
print(servable.predict("serving_default", {"text": np.array([b"a b c", b"d"], object)})["words"].tolist())
"""


def write_words(folder):
    import tensorflow_text

    class Words(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
        def count(self, text):
            return {"words": tensorflow_text.WhitespaceTokenizer().tokenize(text).row_lengths()}

    words = Words()
    tf.saved_model.save(words, str(folder), signatures=words.count)


def test_ops_of_tensorflow_text_are_known_as_to_tf_serving_and_named_where_they_are_missing(tmp_path):
    write_words(tmp_path / "1")

    asked = [sys.executable, "-c", ASK, str(tmp_path / "1")]
    answered = subprocess.run(asked, capture_output=True, text=True, check=False)

    assert answered.stdout.strip() == "[3, 1]", answered.stderr
