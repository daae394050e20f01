"""Lines of the access log: whole, harmless, and where they belong."""

import json
import os
import subprocess
import sys
import time

import pytest

from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.access_log import AccessLog


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_is_one_json_object_without_what_is_not_known(tmp_path):
    log = AccessLog(tmp_path / "log")
    log.add(1_700_000_000.5, model="fashion", version=None, code="OK", ms=1.25)
    log.close()

    assert lines(tmp_path / "log") == [
        {"time": "2023-11-14T22:13:20.500Z", "model": "fashion", "code": "OK", "ms": 1.25}
    ]
    assert (tmp_path / "log").stat().st_mode & 0o007 == 0


def test_what_clients_name_can_not_forge_a_line(tmp_path):
    log = AccessLog(tmp_path / "log")
    log.add(0.0, model='m"}\n{"code": "OK\x1b[2J\u2028', peer="x" * 5000)
    log.close()

    raw = (tmp_path / "log").read_bytes()
    (line,) = lines(tmp_path / "log")
    assert (raw.count(b"\n"), raw.isascii(), b"\x1b" in raw) == (1, True, False)
    assert len(line["peer"]) == 200


def test_a_file_that_was_moved_away_is_opened_again(tmp_path):
    log, path = AccessLog(tmp_path / "log"), tmp_path / "log"
    log.add(0.0, n=1)
    wait_for(path)
    path.rename(tmp_path / "log.1")
    log.add(0.0, n=2)
    wait_for(path)
    log.close()

    assert [line["n"] for line in (*lines(tmp_path / "log.1"), *lines(path))] == [1, 2]


def wait_for(path):
    deadline = time.monotonic() + 10
    while not path.exists() or not path.stat().st_size:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_place_that_can_not_be_written_is_refused(tmp_path):
    with pytest.raises(ServeError, match=r"--access_log .*/no/log must be a file that can be written"):
        AccessLog(tmp_path / "no" / "log")


def test_stderr_that_nobody_reads_holds_nobody_up():
    program = (
        "import time\nfrom roadworthy.serving.server.access_log import AccessLog\n"
        "log = AccessLog()\nstarted = time.perf_counter()\n"
        "for n in range(20000): log.add(0.0, n=n)\n"
        "print(time.perf_counter() - started < 5, flush=True)\nimport os\nos._exit(0)"
    )
    reading, writing = os.pipe()
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, stderr=writing, text=True, timeout=30
    )
    os.close(reading)
    os.close(writing)

    assert done.stdout == "True\n"
