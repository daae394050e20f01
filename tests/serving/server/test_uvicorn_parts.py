"""In processes of their own: what a process has imported stays imported."""

import subprocess
import sys

import pytest

WITHOUT = """
import sys
from roadworthy.serving.server.transports import Transports
assert not {"click", "uvicorn", "uvicorn.main", "multiprocessing", "pydantic"} & set(sys.modules)
"""
AFTER = """
from roadworthy.serving.server import uvicorn_parts
import uvicorn
assert uvicorn.Server is uvicorn_parts.Server and uvicorn.Config is uvicorn_parts.Config
assert uvicorn.main.main
"""
BEFORE = """
import uvicorn
from roadworthy.serving.server import uvicorn_parts
import sys
assert sys.modules["uvicorn"] is uvicorn and uvicorn.Server is uvicorn_parts.Server
"""


@pytest.mark.parametrize("program", [WITHOUT, AFTER, BEFORE])
def test_no_command_line_is_imported_and_whoever_wants_uvicorn_has_it(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
