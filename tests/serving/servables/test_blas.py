"""In processes of their own: numpy's library reads the variable once."""

import os
import subprocess
import sys

import pytest

from roadworthy.serving.servables.blas import one_blas_thread

COUNT = "import numpy, threadpoolctl; print(threadpoolctl.threadpool_info()[0]['num_threads'])"
CALL = "from roadworthy.serving.servables.blas import one_blas_thread; one_blas_thread()"


@pytest.mark.parametrize("program", [f"{CALL}; {COUNT}", f"import numpy; {CALL}; {COUNT}"])
def test_products_run_on_one_thread_whenever_numpy_was_imported(program):
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True, env=os.environ | {"OPENBLAS_NUM_THREADS": "2"},
    )  # fmt: skip
    assert done.stdout.strip() == "1"


def test_where_numpy_was_imported_no_child_is_told(monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    one_blas_thread()
    assert "OPENBLAS_NUM_THREADS" not in os.environ
