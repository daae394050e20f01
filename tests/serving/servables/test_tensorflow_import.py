import os
import subprocess
import sys

import pytest

ALONE = """
import sys
from pathlib import Path
from roadworthy.serving.servables.saved_model import SavedModelServable

servable = SavedModelServable(Path(sys.argv[1]))
kerases = sorted(name for name in sys.modules if name.partition(".")[0] in ("keras", "tf_keras"))
assert not kerases, kerases
"""
LATER = """
import tensorflow as tf
import keras
from tensorflow.keras import layers

assert layers.Dense is keras.layers.Dense is tf.keras.layers.Dense
model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
model.compile("adam", "mse")
model.fit(tf.zeros((4, 2)), tf.zeros((4, 1)), verbose=0)
"""


def run(code, *arguments):
    # TF-MOT has this process, and all that it starts, take Keras 2.
    plain = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=plain, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("code", [ALONE, ALONE + LATER], ids=["alone", "keras later"])
def test_a_saved_model_is_served_without_keras_which_can_come_later(half_plus_two, code):
    done = run(code, str(half_plus_two / "123"))
    assert done.returncode == 0, done.stderr
