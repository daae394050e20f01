"""Lines of the access log: whole, harmless, and where they belong."""

import json
import os
import subprocess
import sys
import time
from datetime import datetime

import numpy as np
import pytest

from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.access_log import AccessLog
from roadworthy.serving.server.observe import Call


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def call(**fields):
    return Call("rest", "Predict", peer="127.0.0.1:9", **fields)


def test_a_line_is_one_json_object_without_what_is_not_known(tmp_path):
    log = AccessLog(tmp_path / "log")
    before = time.time()
    log.done(call(model="fashion", seconds=0.00125, request_bytes=7))
    log.close()

    (line,) = lines(tmp_path / "log")
    when = datetime.fromisoformat(line.pop("time")).timestamp()
    assert before - 0.01 <= when <= time.time()
    assert line == {
        "transport": "rest", "method": "Predict", "model": "fashion", "code": "OK", "ms": 1.25,
        "request_bytes": 7, "response_bytes": 0, "peer": "127.0.0.1:9",
    }  # fmt: skip
    assert (tmp_path / "log").stat().st_mode & 0o007 == 0


@pytest.mark.parametrize(("given", "kept"), [(b"abc-1", True), (b'a"b', False), (None, False)])
def test_the_answer_tells_the_id_of_the_line(tmp_path, given, kept):
    log = AccessLog(tmp_path / "log")
    one = call(headers=[(b"x-request-id", given)] if given else [])
    log.arrived(one)
    log.done(one)
    log.close()

    (line,) = lines(tmp_path / "log")
    assert one.answer_headers == [(b"x-request-id", line["id"].encode())]
    assert (line["id"].encode() == given) is kept


def test_neither_payloads_nor_tokens_are_told(tmp_path):
    log = AccessLog(tmp_path / "log")
    secret = call(headers=[(b"authorization", b"Bearer rw_secret")], inputs={"x": np.array(["secret"])})
    log.arrived(secret)
    log.done(secret)
    log.close()

    assert "secret" not in (tmp_path / "log").read_text()


def test_what_clients_name_can_not_forge_a_line(tmp_path):
    log = AccessLog(tmp_path / "log")
    log.done(Call("rest", "x" * 5000, model='m"}\n{"code": "OK\x1b[2J\u2028'))
    log.close()

    raw = (tmp_path / "log").read_bytes()
    (line,) = lines(tmp_path / "log")
    assert (raw.count(b"\n"), raw.isascii(), b"\x1b" in raw) == (1, True, False)
    assert len(line["method"]) == 200


def test_a_file_that_was_moved_away_is_opened_again(tmp_path):
    log, path = AccessLog(tmp_path / "log"), tmp_path / "log"
    log.done(call(model="first"))
    wait_for(path)
    path.rename(tmp_path / "log.1")
    log.done(call(model="second"))
    wait_for(path)
    log.close()

    assert [line["model"] for line in (*lines(tmp_path / "log.1"), *lines(path))] == ["first", "second"]


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
        "from roadworthy.serving.server.observe import Call\n"
        "log = AccessLog()\nstarted = time.perf_counter()\n"
        "for _ in range(20000): log.done(Call('rest', 'Predict'))\n"
        "print(time.perf_counter() - started < 5, flush=True)\nimport os\nos._exit(0)"
    )
    reading, writing = os.pipe()
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, stderr=writing, text=True, timeout=30
    )
    os.close(reading)
    os.close(writing)

    assert done.stdout == "True\n"
