"""Turns an image folder into TFRecords of `tf.Example`, in splits; see `component.py`."""

import hashlib
import json
import os
from collections import Counter
from typing import Any, Final, TypeVar

import apache_beam as beam
from google.protobuf import json_format, struct_pb2
from google.protobuf.message import Message
from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import Artifact, artifact_utils, standard_component_specs

from roadworthy.components.ingest.bucket import find_images, folder_of
from roadworthy.components.ingest.findings import (
    BAD_IMAGES_FILE,
    BadImage,
    bad_images_json,
    labels_json,
    refuse_gaps,
    refuse_too_many_bad,
)
from roadworthy.components.ingest.scan import ImageFile, ImageFolder
from roadworthy.components.ingest.shards import UNFINISHED_FOLDER, WriteShard, divide
from roadworthy.serving.contract import LABELS_FILE

FINDINGS_FOLDER: Final = ".findings"
MAX_BAD_FRACTION: Final = "max_bad_fraction"

AnyMessage = TypeVar("AnyMessage", bound=Message)


class Executor(BaseBeamExecutor):
    """Reads, checks, splits and writes the images of a folder."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the examples and, at the artifact's root, `labels.json` and `bad_images.json`.

        Raises:
            DataError: the folder can't be taken as labelled images, too many of them are bad, or a split lacks images.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(output_dict[standard_component_specs.EXAMPLES_KEY])
        folder = find_images(data_folder(exec_properties))
        shares = split_shares(exec_properties)
        with self._make_beam_pipeline() as pipeline:
            ingest(pipeline, folder, shares=shares, uri=examples.uri)
        conclude(folder, splits=list(shares), uri=examples.uri, max_bad_fraction=max_bad_fraction(exec_properties))
        examples.split_names = artifact_utils.encode_split_names(list(shares))
        examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(examples, "tfrecords_gzip")


def ingest(pipeline: beam.Pipeline, folder: ImageFolder, *, shares: dict[str, int], uri: str) -> None:
    """Adds the Beam steps that read the images, and write the splits and what was found on the way.

    TFX's own `WriteSplit` shuffles whole records, which DirectRunner does in memory; here only paths are shuffled,
    before any file is opened.

    Args:
        pipeline: the Beam pipeline to add to.
        folder: the images.
        shares: hash buckets of each split.
        uri: root of the Examples artifact.
    """
    shards = divide(shuffled(folder))
    write = WriteShard(str(folder.root), folder.labels, shares=shares, uri=uri, shards=len(shards))
    _ = (
        pipeline
        | "ListShards" >> beam.Create(shards)
        | "WriteShards" >> beam.ParDo(write)
        | "WriteFindings" >> beam.io.WriteToText(_findings_prefix(uri))
    )


def conclude(folder: ImageFolder, *, splits: list[str], uri: str, max_bad_fraction: float) -> None:
    """Judges what the Beam workers found, outside of Beam, where an error keeps its type and message.

    Raises:
        DataError: too many images are bad, a class has nothing to train on, or a split is empty.
    """
    findings = _take_findings(uri)
    # A name that is not UTF-8 could be neither printed nor written as JSON that others read.
    unopened = [
        BadImage(file.path.encode(errors="backslashreplace").decode(), file.fault)
        for file in folder.files
        if file.fault
    ]
    bad = sorted([*unopened, *(BadImage(*line["bad"]) for line in findings if "bad" in line)])
    counts: Counter[tuple[str, str]] = Counter()
    for line in findings:
        if "class" in line:
            split, label = line["class"]
            counts[split, label] += line["count"]
    total = len(folder.files)
    _remove(os.path.join(uri, UNFINISHED_FOLDER))
    refuse_too_many_bad(bad, total=total, max_bad_fraction=max_bad_fraction, root=folder.root)
    refuse_gaps(counts, splits=splits, labels=folder.labels, root=folder.root)
    _write_text(os.path.join(uri, LABELS_FILE), labels_json(folder.labels))
    _write_text(os.path.join(uri, BAD_IMAGES_FILE), bad_images_json(bad, total=total))


def shuffled(folder: ImageFolder) -> list[ImageFile]:
    """The files to open, ordered by a hash of the path: mixed classes, the same in every run."""
    files = [file for file in folder.files if not file.fault]
    return sorted(files, key=lambda file: hashlib.sha256(file.path.encode()).digest())


def data_folder(exec_properties: dict[str, Any]) -> str:
    """The folder with the classes; the driver has put a number in place of `{SPAN}`."""
    config = _parsed(exec_properties[standard_component_specs.INPUT_CONFIG_KEY], example_gen_pb2.Input())
    return folder_of(exec_properties[standard_component_specs.INPUT_BASE_KEY], config.splits[0].pattern)


def split_shares(exec_properties: dict[str, Any]) -> dict[str, int]:
    """Hash buckets by split, in the order they were given."""
    config = _parsed(exec_properties[standard_component_specs.OUTPUT_CONFIG_KEY], example_gen_pb2.Output())
    return {split.name: split.hash_buckets for split in config.split_config.splits}


def max_bad_fraction(exec_properties: dict[str, Any]) -> float:
    """The share of bad images that is tolerated, in [0, 1)."""
    packed = _parsed(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY], example_gen_pb2.CustomConfig())
    settings = struct_pb2.Struct()
    packed.custom_config.Unpack(settings)
    return settings.fields[MAX_BAD_FRACTION].number_value


def _parsed(text: str, message: AnyMessage) -> AnyMessage:
    return json_format.Parse(text, message)


def _findings_prefix(uri: str) -> str:
    return os.path.join(uri, FINDINGS_FOLDER, "findings")


def _take_findings(uri: str) -> list[dict[str, Any]]:
    """Reads what the workers wrote down, and removes it from the artifact."""
    findings = []
    for path in fileio.glob(f"{_findings_prefix(uri)}*"):
        with fileio.open(path) as lines:
            findings += [json.loads(line) for line in lines]
    fileio.rmtree(os.path.join(uri, FINDINGS_FOLDER))
    return findings


def _remove(folder: str) -> None:
    # A bucket has no folder once its files were moved away.
    if fileio.exists(folder):
        fileio.rmtree(folder)


def _write_text(path: str, text: str) -> None:
    with fileio.open(path, "w") as file:
        file.write(text)
