import subprocess
import sys

# In a process of its own: others in this one may have imported TF-MOT, or set the same switch, before.
PROGRAM = """
import os
os.environ.pop("TF_USE_LEGACY_KERAS", None)
from roadworthy.models.compression.tf_mot import load_tf_mot
load_tf_mot()
from tensorflow_model_optimization.python.core.keras.compat import keras
import tensorflow as tf
print(keras.__name__, tf.keras.__version__[0], "TF_USE_LEGACY_KERAS" in os.environ)
"""


def test_tf_mot_has_its_keras_and_the_rest_of_the_process_keeps_its_own():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["tf_keras", "3", "False"]
