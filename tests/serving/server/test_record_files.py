"""TFRecord files in series: whole when they are seen, and bounded."""

import os
import subprocess
import sys
import time

import pytest

from roadworthy.serving.server.record_files import RecordFiles
from roadworthy.serving.tfrecord import frame, read_records

FRAME_BYTES = len(frame(b"0" * 100))


def ended(folder):
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def test_a_file_is_seen_whole_or_not_at_all(tmp_path):
    files = RecordFiles(tmp_path / "logs" / "fashion")
    files.append(b"one")
    files.append(b"two")
    assert ended(tmp_path / "logs") == []
    files.rotate()

    (path,) = ended(tmp_path / "logs")
    assert path.name.startswith("fashion-")
    assert path.suffix == ".tfrecord"
    assert list(read_records(path)) == [b"one", b"two"]
    assert path.stat().st_mode & 0o077 == 0
    assert [*(tmp_path / "logs").iterdir()] == [path]


def test_a_full_file_is_followed_by_another(tmp_path):
    files = RecordFiles(tmp_path / "m", max_file_bytes=2 * FRAME_BYTES)
    for number in range(5):
        files.append(b"%d" % number * 100)
    files.rotate()

    assert [len(list(read_records(path))) for path in ended(tmp_path)] == [2, 2, 1]
    assert [record[:1] for path in ended(tmp_path) for record in read_records(path)] == [b"0", b"1", b"2", b"3", b"4"]


def test_an_old_file_is_ended_and_a_young_one_is_not(tmp_path):
    young, old = RecordFiles(tmp_path / "young", max_age_s=60), RecordFiles(tmp_path / "old", max_age_s=0.01)
    for files in (young, old):
        files.append(b"x")
    time.sleep(0.02)
    for files in (young, old):
        files.rotate_if_old()

    assert [path.name.split("-")[0] for path in ended(tmp_path)] == ["old"]


def test_the_oldest_files_go_and_only_those_of_the_prefix(tmp_path):
    others = ["m-2-20260101T000000.000000-1-000000.tfrecord", "m-notes.txt", "m.tfrecord", "m-a-b-c.tfrecord"]
    for name in others:
        (tmp_path / name).write_bytes(b"0" * 10_000)
    files = RecordFiles(tmp_path / "m", max_file_bytes=FRAME_BYTES, max_total_bytes=3 * FRAME_BYTES)
    for number in range(6):
        files.append(b"%d" % number * 100)
    files.rotate()

    kept = [path for path in ended(tmp_path) if path.name not in others]
    assert [next(read_records(path))[:1] for path in kept] == [b"3", b"4", b"5"]
    assert {path.name for path in ended(tmp_path)} > set(others)


def test_what_can_not_be_written_is_an_error_and_the_next_file_is_a_new_one(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        RecordFiles(tmp_path / "file" / "m").append(b"x")


def test_two_processes_write_no_file_together(tmp_path):
    first, second = RecordFiles(tmp_path / "m"), RecordFiles(tmp_path / "m")
    for files in (first, second):
        files.append(b"x")
        time.sleep(1e-5)
        files.rotate()

    assert len(ended(tmp_path)) == 2
    assert all(f"-{os.getpid()}-" in path.name for path in ended(tmp_path))


def test_what_a_killed_process_had_begun_is_ended_at_its_last_whole_record(tmp_path):
    program = (
        "import os, pathlib, sys\nfrom roadworthy.serving.server.record_files import RecordFiles\n"
        "files = RecordFiles(pathlib.Path(sys.argv[1]))\nfiles.append(b'one')\nfiles.append(b'two')\n"
        "files._file.flush()\nos.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "m")], check=False)
    assert done.returncode == -9
    (begun,) = tmp_path.iterdir()
    with begun.open("ab") as file:
        file.write(frame(b"three")[:-2])
    RecordFiles(tmp_path / "m")

    (path,) = ended(tmp_path)
    assert list(read_records(path)) == [b"one", b"two"]


def test_what_a_living_process_has_begun_is_left_to_it(tmp_path):
    first = RecordFiles(tmp_path / "m")
    first.append(b"x")
    RecordFiles(tmp_path / "m")
    assert ended(tmp_path) == []
    first.rotate()
    assert len(ended(tmp_path)) == 1
