"""BulkInferrer on this machine against the model itself."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from contracts.vertex.colours import colour_images
from roadworthy.pipeline.bulk.inferrer import bulk_infer
from roadworthy.pipeline.cli.main import cli
from roadworthy.serving.contract import ModelCard
from roadworthy.serving.errors import DataError

LABELS = ("red", "green", "blue")


@pytest.fixture
def model(tmp_path):
    """A SavedModel with the signature for examples: which colour an image has most of."""

    class Colours(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def serve(self, examples):
            parsed = tf.io.parse_example(examples, {"image/encoded": tf.io.FixedLenFeature([], tf.string)})
            images = tf.map_fn(_means, parsed["image/encoded"], fn_output_signature=tf.float32)
            scores = tf.nn.softmax(images)
            return {"scores": scores, "label": tf.gather(tf.constant(LABELS), tf.argmax(scores, axis=-1))}

    made = Colours()
    tf.saved_model.save(made, str(tmp_path / "model"), signatures={"serving_default": made.serve})
    ModelCard(labels=LABELS, image_height=8, image_width=8).write(tmp_path / "model")
    return tmp_path / "model"


def _means(image):
    return tf.reduce_mean(tf.cast(tf.io.decode_png(image, channels=3), tf.float32), axis=[0, 1]) / 255.0


def test_the_command_line_gives_every_file_the_answer_of_the_model(model, tmp_path):
    files = [str(tmp_path / f"{number}.png") for number in range(4)]
    for file, image in zip(files, colour_images(), strict=True):
        Path(file).write_bytes(image)
    (tmp_path / "run.yaml").write_text("name: colours\noutput: out\ndata: {path: photos}\n")
    words = ["batch-predict", *files, "--config", tmp_path / "run.yaml", "--on", "beam", "--model", model]
    done = CliRunner().invoke(cli, [*map(str, words), "--out", str(tmp_path / "labels.jsonl")])
    assert "4 files answered, 0 failed" in done.stdout, done.exception
    rows = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    found = {row["file"]: row for row in rows}
    assert [found[file]["label"] for file in files] == ["red", "green", "blue", "red"]
    wanted = np.exp(1) / (np.exp(1) + 2)
    assert found[files[0]]["score"] == pytest.approx(wanted, abs=1e-6)


def test_a_litert_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="must be a SavedModel for Beam"):
        bulk_infer(tmp_path, [], work_dir=str(tmp_path / "work"), beam_arguments=[])
