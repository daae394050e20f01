"""The same on a Cloud Storage on loopback: data by Beam, artifacts and the model root by TensorFlow's file system."""

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tfx.types.standard_artifacts import Model

from contracts.gcs.server import Fault
from contracts.lengths import picture
from contracts.mean_colour import write_mean_colour
from roadworthy.components.ingest.bucket import find_images, read_image
from roadworthy.components.ingest.component import ImageFolderExampleGen
from roadworthy.components.pushers import bucket
from roadworthy.components.pushers.bucket import latest_version, publish_remote
from roadworthy.pipeline.container.artifacts import on_this_machine
from roadworthy.pipeline.container.execute import execute
from roadworthy.serving.errors import DataError, DeployError

BUCKET = "rw-bucket"
EXAMPLES = "title: tfx.Examples\ntype: object\n"


@pytest.fixture
def folder(request) -> str:
    """A name of the test's own in the bucket that all share."""
    return hashlib.sha256(request.node.name.encode()).hexdigest()[:12]


def model(uri: str) -> Model:
    made = Model()
    made.uri = uri
    return made


def test_images_of_a_bucket_are_found_and_read(gcs, folder):
    for number, name in enumerate(("temple/a.png", "temple/b.png", "flower/ä b.png", "flower/c.png")):
        gcs.buckets.put(BUCKET, f"{folder}/{name}", picture(120 + number), {})
    gcs.buckets.put(BUCKET, f"{folder}/readme.txt", b"x", {})
    gcs.buckets.put(BUCKET, f"{folder}/temple/", b"", {})

    found = find_images(f"gs://{BUCKET}/{folder}")

    assert found.labels == ("flower", "temple")
    assert [file.path for file in found.files] == ["flower/c.png", "flower/ä b.png", "temple/a.png", "temple/b.png"]
    assert read_image(str(found.root), "flower/ä b.png") == picture(122)
    before = found.fingerprint()
    gcs.buckets.put(BUCKET, f"{folder}/temple/a.png", picture(199), {})
    assert find_images(f"gs://{BUCKET}/{folder}").fingerprint() != before


def test_a_folder_that_is_not_there_is_told(gcs, folder):
    with pytest.raises(DataError, match="no folder with a file in it"):
        find_images(f"gs://{BUCKET}/{folder}")


def test_a_whole_ingest_goes_from_bucket_to_bucket_and_finds_out_first_what_is_new(gcs, folder):
    for number in range(24):
        name = f"{folder}/photos/{('flower', 'temple')[number % 2]}/{number}.png"
        gcs.buckets.put(BUCKET, name, picture(120 + number), {})
    node = ImageFolderExampleGen(f"gs://{BUCKET}/{folder}/photos", splits={"train": 2, "val": 1, "test": 1})
    kinds = {"output_data_format": "NUMBER_INTEGER", "output_file_format": "NUMBER_INTEGER"}
    out = f"gs://{BUCKET}/{folder}/examples"
    message = {
        "inputs": {
            "parameterValues": {name: value for name, value in node.exec_properties.items() if value is not None}
        },
        "outputs": {
            "artifacts": {"examples": {"artifacts": [{"name": "e", "uri": out, "type": {"instanceSchema": EXAMPLES}}]}},
            "outputFile": f"gs://{BUCKET}/{folder}/task/executor_output.json",
        },
    }
    spec = {"parameters": {name: {"parameterType": kind} for name, kind in kinds.items()}}

    execute(
        [
            *("--executor_class_path", "roadworthy.components.ingest.executor.Executor"),
            *("--json_serialized_invocation_args", json.dumps(message)),
            *("--json_serialized_inputs_spec_args", json.dumps(spec)),
            *("--drive_first", "--direct_running_mode=in_memory"),
        ]
    )

    assert json.loads(gcs.read(BUCKET, f"{folder}/examples/labels.json")) == ["flower", "temple"]
    records = [name for name in gcs.names(BUCKET, f"{folder}/examples/Split-") if name.endswith(".gz")]
    assert {name.split("Split-")[1].split("/")[0] for name in records} == {"train", "val", "test"}
    (told,) = json.loads(gcs.read(BUCKET, f"{folder}/task/executor_output.json"))["artifacts"]["examples"]["artifacts"]
    assert told["uri"] == out
    assert told["metadata"]["split_names"] == '["train", "val", "test"]'


def test_artifacts_come_from_the_bucket_and_go_back(gcs, folder):
    gcs.buckets.put(BUCKET, f"{folder}/in/Format-Serving/saved_model.pb", b"graph", {})
    given, made = model(f"gs://{BUCKET}/{folder}/in"), model(f"gs://{BUCKET}/{folder}/out")

    with on_this_machine({"model": [given]}, {"model": [made]}):
        Path(made.uri, "copy").write_bytes(Path(given.uri, "Format-Serving", "saved_model.pb").read_bytes())
        Path(made.uri, "EMPTY").touch()

    assert gcs.read(BUCKET, f"{folder}/out/copy") == b"graph"
    assert gcs.read(BUCKET, f"{folder}/out/EMPTY") == b""


def test_a_version_is_pushed_into_the_bucket_with_its_manifest_last(gcs, folder, tmp_path):
    root, version = f"gs://{BUCKET}/{folder}/served", write_mean_colour(tmp_path / "model")

    pushed = publish_remote(version, model_root=root, name="colours")

    assert latest_version(root, "colours") == pushed.path == f"{root}/colours/1"
    assert publish_remote(version, model_root=root, name="colours").already
    assert gcs.read(BUCKET, f"{folder}/served/colours/1/model.tflite") == (version / "model.tflite").read_bytes()


def test_of_two_pushes_at_one_moment_each_gets_a_version_of_its_own(gcs, folder, tmp_path, monkeypatch):
    root, both, claim = f"gs://{BUCKET}/{folder}/served", threading.Barrier(2), bucket.claim

    def claim_together(model_dir: str, number: int) -> bool:
        if number == 1:
            both.wait(timeout=30)
        return claim(model_dir, number)

    def push(word: str):
        version = write_mean_colour(tmp_path / word)
        (version / "assets.extra").mkdir(exist_ok=True)
        (version / "assets.extra" / word).write_text(word)
        return publish_remote(version, model_root=root, name="colours")

    monkeypatch.setattr(bucket, "claim", claim_together)
    with ThreadPoolExecutor(2) as pool:
        pushed = dict(zip("ab", pool.map(push, "ab"), strict=True))

    assert sorted(one.version for one in pushed.values()) == [1, 2]
    for word, one in pushed.items():
        prefix = f"{folder}/served/colours/{one.version}/"
        words = {other for other in "ab" if f"{prefix}assets.extra/{other}" in gcs.names(BUCKET, prefix)}
        assert words == {word}
        assert f'"assets.extra/{word}"' in gcs.read(BUCKET, f"{prefix}manifest.json").decode()
    assert publish_remote(tmp_path / "b", model_root=root, name="colours").already is (pushed["b"].version == 2)


def test_a_bucket_that_refuses_is_told_and_no_version_is_there(gcs, folder, tmp_path):
    root, version = f"gs://{BUCKET}/{folder}/served", write_mean_colour(tmp_path / "model")
    gcs.faults.append(Fault("POST", "upload", 403, times=50))
    try:
        with pytest.raises(DeployError, match="Nothing was published; look at the bucket's permissions"):
            publish_remote(version, model_root=root, name="colours")
    finally:
        gcs.faults.clear()
    assert latest_version(root, "colours") is None
