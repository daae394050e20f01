"""Many files asked by Beam on this machine: of both kinds of model, with bad files, interrupted, on gs://."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from contracts.beam_workers import IN_PROCESS
from contracts.mean_colour import CARD, write_mean_colour
from contracts.vertex.colours import colour_images
from roadworthy.pipeline.bulk import shards
from roadworthy.pipeline.bulk.answer_shard import AnswerShard
from roadworthy.pipeline.bulk.shards import Batch, answer_batch, forget_batch
from roadworthy.pipeline.cli.main import cli
from roadworthy.serving.errors import ServeError

NAMES = ["red", "green", "blue", "red"]


@pytest.fixture(params=["litert", "saved_model"])
def model(request, tmp_path) -> Path:
    """A version folder: which colour an image has most of."""
    folder = tmp_path / "model"
    if request.param == "litert":
        return write_mean_colour(folder)

    class Colours(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        def serve(self, images):
            means = tf.map_fn(_means, images, fn_output_signature=tf.float32)
            scores = tf.ensure_shape(tf.nn.softmax(means), [None, 3])
            return {"scores": scores, "label": tf.gather(tf.constant(CARD.labels), tf.argmax(scores, axis=-1))}

    made = Colours()
    tf.saved_model.save(made, str(folder), signatures={"image_bytes": made.serve})
    CARD.write(folder)
    return folder


def _means(image):
    return tf.reduce_mean(tf.cast(tf.io.decode_png(image, channels=3), tf.float32), axis=[0, 1])


@pytest.fixture
def files(tmp_path, monkeypatch) -> tuple[str, ...]:
    """Four images in shards of two."""
    monkeypatch.setattr(shards, "SHARD_FILES", 2)
    for number, image in enumerate(colour_images()):
        (tmp_path / f"{number}.png").write_bytes(image)
    return tuple(str(tmp_path / f"{number}.png") for number in range(4))


def ask(model: Path, files, folder, *, is_remote: bool = False):
    return list(answer_batch(Batch(model, files), folder=str(folder), is_remote=is_remote, beam_arguments=IN_PROCESS))


def test_the_command_line_gives_every_file_the_answer_of_the_model_and_leaves_nothing_else(model, files, tmp_path):
    (tmp_path / "run.yaml").write_text("name: colours\noutput: out\ndata: {path: photos}\n")
    words = ["batch-predict", *files, "--config", tmp_path / "run.yaml", "--on", "beam", "--model", model]
    done = CliRunner().invoke(cli, [*map(str, words), "--out", str(tmp_path / "labels.jsonl")])

    assert "4 files answered, 0 failed" in done.stdout, done.exception
    rows = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert [(row["file"], row["label"]) for row in rows] == list(zip(files, NAMES, strict=True))
    assert rows[0]["score"] == pytest.approx(1.0)
    assert not list(tmp_path.glob(".labels*"))


def test_a_file_that_is_no_image_or_not_there_does_not_stop_the_others(model, files, tmp_path):
    Path(files[1]).write_bytes(b"no image")
    Path(files[2]).unlink()

    found = ask(model, files, tmp_path / "kept")

    assert [answer.file for answer in found] == list(files)
    assert [answer.fields.get("label") for answer in found] == ["red", None, None, "red"]
    assert found[2].error == "must be a readable file. Received: No such file or directory"


def test_a_shard_that_was_answered_is_not_asked_again_until_a_file_changes(model, files, tmp_path, monkeypatch):
    before = ask(model, files, tmp_path / "kept")
    asked = []
    process = AnswerShard.process
    monkeypatch.setattr(AnswerShard, "process", lambda self, shard: (asked.append(shard[1]), process(self, shard))[1])

    assert ask(model, files, tmp_path / "kept") == before
    assert asked == []

    Path(files[3]).write_bytes(colour_images()[2])
    assert ask(model, files, tmp_path / "kept")[3].fields["label"] == "blue"
    assert asked == [tuple(file.encode() for file in files[2:])]


def test_workers_that_see_no_file_of_this_machine_have_all_from_the_bucket(files, tmp_path, gcs):
    folder = "gs://rw-bucket/batch/one"
    model = write_mean_colour(tmp_path / "model")

    assert [answer.fields["label"] for answer in ask(model, files, folder, is_remote=True)] == NAMES

    forget_batch(folder)
    assert not [name for name in gcs.names("rw-bucket") if name.startswith("batch/one")]


def test_a_folder_without_a_model_of_ours_is_refused_before_anything_is_asked(tmp_path):
    with pytest.raises(ServeError, match=r"must hold saved_model.pb or model.tflite"):
        ask(tmp_path, (), tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


@pytest.mark.beam
def test_killed_in_the_midst_the_same_command_asks_what_is_left(files, tmp_path):
    many = tmp_path / "many"
    many.mkdir()
    image = np.frombuffer(Path(files[0]).read_bytes(), np.uint8).tobytes()
    for number in range(3000):
        (many / f"{number:04}.png").write_bytes(image)
    (tmp_path / "run.yaml").write_text("name: colours\noutput: out\ndata: {path: photos}\n")
    write_mean_colour(tmp_path / "model")
    words = ["batch-predict", "many", "--config", "run.yaml", "--on", "beam", "--model", "model", "--out", "o.jsonl"]
    command = [sys.executable, "-m", "roadworthy.pipeline.cli.main", *words]
    first = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    kept = tmp_path / ".o.jsonl.shards" / "answers"
    until = time.monotonic() + 120
    while time.monotonic() < until and first.poll() is None and not list(kept.glob("*.jsonl")):
        time.sleep(0.002)
    first.send_signal(signal.SIGKILL)
    first.wait()
    answered = {path: path.stat().st_mtime_ns for path in kept.glob("*.jsonl")}
    assert 0 < len(answered) < 12

    again = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    while again.poll() is None and len(list(kept.glob("*.jsonl"))) in {0, len(answered)}:
        time.sleep(0.002)
    untouched = {path: path.stat().st_mtime_ns for path in answered if path.exists()}

    assert again.communicate()[0] == "3,000 files answered, 0 failed: o.jsonl\n"
    assert untouched == answered
