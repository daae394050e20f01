"""TensorFlow's threads, in processes of their own, since one that has run can't be told any more."""

import subprocess
import sys

import pytest

from roadworthy.serving.errors import ServeError
from roadworthy.serving.servables.open import open_servable
from roadworthy.serving.servables.tensorflow_threads import TensorFlowThreads

_COUNT = """
import pathlib, sys
from roadworthy.serving.servables.open import open_servable
from roadworthy.serving.servables.tensorflow_threads import TensorFlowThreads

intra_op, inter_op = map(int, sys.argv[2:])
for _ in range(2):
    open_servable(pathlib.Path(sys.argv[1]), tensorflow_threads=TensorFlowThreads(intra_op, inter_op))
names = [thread.joinpath("comm").read_text().strip() for thread in pathlib.Path("/proc/self/task").iterdir()]
print(names.count("tf_Compute"), len(names))
"""


def counted(version_dir, *, intra_op, inter_op):
    """Threads of TensorFlow for operations at once, and threads in all, of a process with two models."""
    command = [sys.executable, "-c", _COUNT, str(version_dir), str(intra_op), str(inter_op)]
    return map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_all_models_of_a_process_run_on_as_many_threads_as_were_asked_for(half_plus_two):
    operations, threads = counted(half_plus_two / "123", intra_op=3, inter_op=5)
    more_operations, more_threads = counted(half_plus_two / "123", intra_op=7, inter_op=6)
    assert (operations, more_operations) == (5, 6)
    assert more_threads - threads == (7 - 3) + (6 - 5)


@pytest.mark.parametrize("pool", ["intra_op", "inter_op"])
def test_threads_that_tensorflow_can_no_longer_take_are_refused(exported, pool):
    open_servable(exported["first"]).close()
    with pytest.raises(ServeError, match=f"TensorFlow's {pool} threads .* Received: 7 when it already ran"):
        open_servable(exported["first"], tensorflow_threads=TensorFlowThreads(**{pool: 7}))
