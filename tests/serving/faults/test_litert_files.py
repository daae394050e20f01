"""LiteRT files of any bytes: refused with a reason, here or by the death of another process."""

import random
import shutil

import pytest

from contracts.mean_colour import mean_colour
from roadworthy.serving.errors import ServeError
from roadworthy.serving.manifest import write_manifest
from roadworthy.serving.servables.litert_trial import try_out
from roadworthy.serving.servables.open import open_servable
from roadworthy.serving.server.manager import Loading, Manager

# Two bytes of the model, found by changing thousands of them: LiteRT 2.3 takes the file for whole and then dies of it.
DEADLY = {18: 0, 20: 128}


@pytest.fixture
def version(tmp_path, colour):
    return shutil.copytree(colour, tmp_path / "colour" / "1")


def write(version, content):
    (version / "model.tflite").write_bytes(content)


def test_a_file_cut_anywhere_is_refused(version):
    whole = mean_colour()
    for length in range(len(whole)):
        write(version, whole[:length])
        with pytest.raises(ServeError, match="must be a whole LiteRT model"):
            open_servable(version)


def test_random_bytes_are_refused(version):
    chance = random.Random(0)  # noqa: S311 nothing secret
    for _ in range(200):
        write(version, mean_colour()[:8] + chance.randbytes(500))
        with pytest.raises(ServeError, match="must be a whole LiteRT model"):
            open_servable(version)


def test_a_file_of_which_litert_dies_takes_no_server_down(version):
    deadly = bytearray(mean_colour())
    for place, byte in DEADLY.items():
        deadly[place] = byte
    write(version, deadly)
    manager = Manager.of_root(version.parent.parent, loading=Loading(retries=0))
    manager.poll()
    assert "Received: one of which LiteRT dies (SIGSEGV)" in manager.statuses("colour")[0][2]
    write(version, mean_colour())
    manager.poll()
    with manager.use("colour") as (number, _):
        assert number == 1
    manager.stop()


def test_a_file_that_does_not_come_to_an_end_is_refused(version):
    with pytest.raises(ServeError, match="doesn't come to an end within"):
        try_out(version / "model.tflite", timeout_s=0.001)


def test_litert_says_why_it_refuses_a_file(version):
    write(version, b"????TFL3")
    with pytest.raises(ServeError, match=r"model.tflite must be a whole LiteRT model. Received: The model is not"):
        try_out(version / "model.tflite")


def test_a_published_version_is_not_tried_out_again(version, monkeypatch):
    from roadworthy.serving.server import folder

    write_manifest(version)
    monkeypatch.setattr(folder, "try_out", lambda _: pytest.fail("it was"))
    folder.load(version).close()
