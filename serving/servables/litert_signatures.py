"""What a LiteRT file that Roadworthy did not make says of its inputs and outputs, as TF Serving reads it.

`serving_default` is the whole network. Its tensors have the names of the SignatureDef in the file's metadata, else
their own. Signatures that the converter wrote under other keys are there as well.

Upstream: tensorflow_serving/servables/tensorflow/tflite_session.cc; tensorflow/lite/tools/signature.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from google.protobuf.message import DecodeError

from roadworthy.serving.contract import EXAMPLES_SIGNATURE
from roadworthy.serving.errors import ServeError
from roadworthy.serving.protos import SignatureDef
from roadworthy.serving.servables.base import PREDICT_METHOD, Signature, TensorSpec

_METADATA: Final = "signature_defs_metadata"


def network_signature(interpreter: Any, path: Path) -> Signature:
    """The signature of the whole network, each tensor under its name in the metadata, else its own.

    Args:
        interpreter: of the file.
        path: the file.

    Raises:
        ServeError: two tensors of one name, or metadata that is none or doesn't fit.
    """
    told = _signature_def(path)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    return Signature(
        _specs(inputs, None if told is None else told.inputs, path),
        _specs(outputs, None if told is None else told.outputs, path),
        PREDICT_METHOD if told is None else told.method_name or PREDICT_METHOD,
    )


def other_signatures(interpreter: Any) -> dict[str, Signature]:
    """The converter's own signatures but `serving_default`, by key."""
    runners = {
        key: interpreter.get_signature_runner(key)
        for key in interpreter.get_signature_list()
        if key != EXAMPLES_SIGNATURE
    }
    return {
        key: Signature(
            {name: _spec(name, detail) for name, detail in runner.get_input_details().items()},
            {name: _spec(name, detail) for name, detail in runner.get_output_details().items()},
        )
        for key, runner in runners.items()
    }


def _specs(details: Sequence[Mapping[str, Any]], told: Any, path: Path) -> dict[str, TensorSpec]:
    names = None if told is None else {_bare(info.name): key for key, info in told.items()}
    specs: dict[str, TensorSpec] = {}
    for detail in details:
        name = detail["name"] if names is None else names.get(_bare(detail["name"]))
        if name is None:
            raise ServeError(f"{path}: its signature must name every tensor. Received: none for {detail['name']}.")
        if name in specs:
            raise ServeError(f"{path}: the names of its tensors must differ. Received: {name} twice.")
        specs[name] = _spec(name, detail)
    return specs


def _spec(name: str, detail: Mapping[str, Any]) -> TensorSpec:
    dtype = np.dtype(detail["dtype"])
    sizes = tuple(None if size < 0 else int(size) for size in detail["shape_signature"])
    return TensorSpec(name, "string" if dtype.kind in "OSU" else dtype.name, sizes, detail["name"])


def _bare(name: str) -> str:
    """A tensor's name without the number of the output of its operation."""
    return name.split(":", 1)[0]


def _signature_def(path: Path) -> Any | None:
    """The SignatureDef in a file's metadata, if there is one."""
    content = path.read_bytes()
    # Reading the schema takes a while, and most files have no such metadata.
    if _METADATA.encode() not in content:
        return None
    stored = _metadata_of(content)
    if len(stored) > 1:
        raise ServeError(f"{path} must have one SignatureDef. Received: {', '.join(sorted(stored))}.")
    try:
        return SignatureDef.FromString(next(iter(stored.values()))) if stored else None
    except DecodeError as error:
        raise ServeError(f"{path}: its metadata must be SignatureDefs. Received: {error}.") from error


def _metadata_of(content: bytes) -> dict[str, bytes]:
    from ai_edge_litert.schema_py_generated import Model
    from flatbuffers import flexbuffers

    model = Model.GetRootAs(content, 0)
    for index in range(model.MetadataLength()):
        entry = model.Metadata(index)
        if entry.Name() == _METADATA.encode():
            packed = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
            return {key: _bytes(value) for key, value in flexbuffers.Loads(packed).items()}
    return {}


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
