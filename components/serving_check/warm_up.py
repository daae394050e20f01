"""Warm-up records: real requests, written into a model for every server of TF Serving's kind to answer first."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from roadworthy.serving import protos
from roadworthy.serving.contract import EXAMPLES_INPUT, EXAMPLES_SIGNATURE, IMAGE_INPUT, IMAGE_KEY, IMAGE_SIGNATURE
from roadworthy.serving.server.warm_up import WARM_UP_PATH
from roadworthy.serving.tensors import to_proto
from roadworthy.serving.tfrecord import frame


def write_warm_up(version_dir: Path, name: str, examples: Sequence[bytes]) -> None:
    """Writes a request of each example to each of the contract's signatures; none writes no file.

    Args:
        version_dir: an exported model's folder.
        name: what clients will call the model.
        examples: serialized tf.Examples with `image/encoded`.
    """
    if not examples:
        return
    path = version_dir / WARM_UP_PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    records = [
        record
        for example in examples
        for record in (
            _request(name, EXAMPLES_SIGNATURE, EXAMPLES_INPUT, example),
            _request(name, IMAGE_SIGNATURE, IMAGE_INPUT, _image_of(example)),
        )
    ]
    path.write_bytes(b"".join(map(frame, records)))


def _request(name: str, signature: str, key: str, value: bytes) -> bytes:
    log = protos.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name, request.model_spec.signature_name = name, signature
    request.inputs[key].CopyFrom(to_proto(np.array([value], dtype=object)))
    return bytes(log.SerializeToString())


def _image_of(example: bytes) -> bytes:
    (image,) = protos.Example.FromString(example).features.feature[IMAGE_KEY].bytes_list.value
    return bytes(image)
