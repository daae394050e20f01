"""What TF_DETERMINISTIC_OPS does not do by itself, in processes that have not begun yet."""

import os
import subprocess
import sys

import pytest

ASK = (
    "import tensorflow as tf\n"
    "from roadworthy.models.determinism import keep_order\n"
    "{before}\n"
    "keep_order()\n"
    "keep_order()\n"
    "tf.constant(1.0) + 1\n"
    "print(tf.config.threading.get_inter_op_parallelism_threads())\n"
)


def ask(before: str = "", **environment: str) -> subprocess.CompletedProcess:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    return subprocess.run(
        [sys.executable, "-c", ASK.format(before=before)],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("given", "threads"), [({"TF_DETERMINISTIC_OPS": "1"}, "1"), ({}, "0")])
def test_operations_go_one_after_another_where_equal_bits_are_asked_for(given, threads):
    done = ask(**given)

    assert (done.returncode, done.stdout.strip()) == (0, threads), done.stderr


def test_a_tensorflow_that_has_begun_is_told_what_it_lacks():
    done = ask("tf.constant(1.0) + 1", TF_DETERMINISTIC_OPS="true")

    assert done.returncode == 1
    assert "Set TF_NUM_INTEROP_THREADS=1 as well." in done.stderr


def test_one_that_has_begun_with_one_thread_goes_on():
    done = ask("tf.constant(1.0) + 1", TF_DETERMINISTIC_OPS="1", TF_NUM_INTEROP_THREADS="1")

    assert done.returncode == 0, done.stderr
