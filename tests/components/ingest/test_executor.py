import hashlib
import json
import shutil
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_sample_images
from tfx.types import artifact_utils, standard_artifacts

from contracts.beam_workers import IN_PROCESS
from roadworthy.components.ingest.component import ImageFolderExampleGen
from roadworthy.components.ingest.driver import Driver
from roadworthy.components.ingest.executor import Executor

SPLITS = ("train", "val", "test")


def execute(component: ImageFolderExampleGen, uri: Path) -> standard_artifacts.Examples:
    """Runs driver and executor as TFX's launcher does, without its metadata store."""
    properties = Driver(None).resolve_exec_properties(dict(component.exec_properties), None, None)
    examples = standard_artifacts.Examples()
    examples.uri = str(uri)
    executor = Executor(Executor.Context(beam_pipeline_args=IN_PROCESS))
    executor.Do({}, {"examples": [examples]}, properties)
    return examples


def read_split(uri: Path, split: str) -> list[Mapping[str, tf.train.Feature]]:
    files = sorted(str(path) for path in (uri / f"Split-{split}").iterdir())
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator()
    return [tf.train.Example.FromString(record).features.feature for record in records]


def text(example: Mapping[str, tf.train.Feature], key: str) -> str:
    return example[key].bytes_list.value[0].decode()


def huge_png(width: int, height: int) -> bytes:
    """A PNG of which only the header says how large it is."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(1000)))]
    packed = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in [*chunks, (b"IEND", b"")]
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.fixture(scope="module")
def messy(tmp_path_factory, tiles) -> Path:
    """Good images with copies, odd names, and one of each kind of bad file."""
    root = tmp_path_factory.mktemp("messy") / "data"
    for index, name in enumerate(["flower", "temple in Běijīng"]):
        folder = root / name
        folder.mkdir(parents=True)
        for number in range(20):
            tiles[2 * number + index].save(folder / f"tile №{number}.PNG", format="PNG")
        for number in range(10):
            shutil.copy(folder / f"tile №{number}.PNG", folder / f"copy of {number}.jpg")
    shutil.copy(load_sample_images().filenames[0], root / "temple in Běijīng" / "photo.jpeg")
    good = (root / "flower" / "tile №0.PNG").read_bytes()
    (root / "flower" / "truncated.png").write_bytes(good[: len(good) // 2])
    (root / "flower" / "empty.png").touch()
    (root / "flower" / "text.jpg").write_text("a text file")
    (root / "flower" / "huge.png").write_bytes(huge_png(30_000, 30_000))
    tiles[0].save(root / "flower" / "animation.gif")
    (root / "flower" / "outside.png").symlink_to("/etc/hostname")
    return root


@pytest.fixture(scope="module")
def artifact(messy, tmp_path_factory) -> standard_artifacts.Examples:
    return execute(ImageFolderExampleGen(str(messy), max_bad_fraction=0.2), tmp_path_factory.mktemp("examples"))


@pytest.fixture(scope="module")
def splits(artifact) -> dict[str, list[Mapping[str, tf.train.Feature]]]:
    return {split: read_split(Path(artifact.uri), split) for split in SPLITS}


def test_every_good_image_is_in_exactly_one_split(splits, messy):
    names = [text(example, "image/filename") for examples in splits.values() for example in examples]
    good = [path for path in messy.rglob("*") if path.name.startswith(("tile", "copy", "photo"))]

    assert sorted(names) == sorted(str(path.relative_to(messy)) for path in good)


def test_copies_of_an_image_are_in_one_split(splits):
    contents = {
        split: {hashlib.sha256(example["image/encoded"].bytes_list.value[0]).digest() for example in examples}
        for split, examples in splits.items()
    }

    assert sum(map(len, contents.values())) == len(set.union(*contents.values())) == 41


def test_labels_agree_with_folders(splits):
    labels = ("flower", "temple in Běijīng")

    for examples in splits.values():
        for example in examples:
            label = labels[example["image/class/label"].int64_list.value[0]]
            assert label == text(example, "image/class/text") == text(example, "image/filename").split("/")[0]


def test_bytes_are_those_of_the_file(splits, messy):
    example = splits["train"][0]

    assert example["image/encoded"].bytes_list.value[0] == (messy / text(example, "image/filename")).read_bytes()


def test_classes_are_mixed_in_the_files(splits):
    labels = [example["image/class/label"].int64_list.value[0] for example in splits["train"]]

    assert np.count_nonzero(np.diff(labels)) > 5


def test_labels_lie_at_the_root(artifact):
    assert json.loads(Path(artifact.uri, "labels.json").read_text()) == ["flower", "temple in Běijīng"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("truncated.png", "truncated"),
        ("empty.png", "0 bytes"),
        ("text.jpg", "JPEG or PNG"),
        ("huge.png", "30,000 x 30,000"),
        ("animation.gif", "JPEG or PNG"),
        ("outside.png", "leads out of the data folder"),
    ],
)
def test_bad_images_are_listed_with_their_reasons(artifact, name, reason):
    listed = json.loads(Path(artifact.uri, "bad_images.json").read_text())

    assert listed["checked"] == 67
    assert reason in {bad["path"]: bad["reason"] for bad in listed["bad"]}[f"flower/{name}"]


def test_no_good_image_is_listed_as_bad(artifact):
    assert len(json.loads(Path(artifact.uri, "bad_images.json").read_text())["bad"]) == 6


def test_nothing_else_is_left_at_the_root(artifact):
    left = sorted(path.name for path in Path(artifact.uri).iterdir())

    assert left == ["Split-test", "Split-train", "Split-val", "bad_images.json", "labels.json"]


def test_the_artifact_names_its_splits(artifact):
    assert artifact_utils.decode_split_names(artifact.split_names) == list(SPLITS)


def test_a_photo_is_read_as_well_as_a_tile(splits):
    (photo,) = (
        example for examples in splits.values() for example in examples if text(example, "image/format") == "jpeg"
    )

    assert [photo[f"image/{side}"].int64_list.value[0] for side in ("height", "width")] == [427, 640]
