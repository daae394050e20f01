"""Numpy's products on one thread: those of resizing are small, and more threads would take cores from the network."""

import os
import sys
from typing import Final

# Read once, when numpy is first imported, by the OpenBLAS in its wheels.
_VARIABLE: Final = "OPENBLAS_NUM_THREADS"


def one_blas_thread() -> None:
    """Has this process' products run on one thread from now on, soonest before numpy is imported."""
    if os.environ.get(_VARIABLE) == "1":
        return
    if "numpy" not in sys.modules:
        os.environ[_VARIABLE] = "1"
        return
    # Takes the time of a small import, to look through the libraries that are loaded.
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1, user_api="blas")
