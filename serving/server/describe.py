"""What a model is and how it fares, as TF Serving's messages; both transports answer with these."""

from collections.abc import Mapping
from typing import Any

from roadworthy.serving import protos
from roadworthy.serving.servables.base import Signature, TensorSpec
from roadworthy.serving.server.served import Served
from roadworthy.serving.server.version import State
from roadworthy.serving.status import CODE_NUMBERS
from roadworthy.serving.tensors import DTYPES


def model_status(served: Served, spec: Any) -> Any:
    """The `GetModelStatusResponse` for a `ModelSpec`.

    Raises:
        RequestError: NOT_FOUND, no such model or version.
    """
    response = protos.GetModelStatusResponse()
    for number, state, error in served.statuses_of_spec(spec):
        response.model_version_status.append(_version_status(number, state, error))
    return response


def model_metadata(served: Served, spec: Any) -> Any:
    """The `GetModelMetadataResponse` for a `ModelSpec`: its signatures.

    Raises:
        RequestError: NOT_FOUND, no such model or version is available.
    """
    with served.use_spec(spec) as (number, servable):
        signatures = signature_def_map(servable.signatures)
    response = protos.GetModelMetadataResponse()
    response.model_spec.name = spec.name
    response.model_spec.version.value = number
    response.metadata["signature_def"].Pack(signatures)
    return response


def signature_def_map(signatures: Mapping[str, Signature]) -> Any:
    """The `SignatureDefMap` of a model's signatures."""
    described = protos.SignatureDefMap()
    for name, signature in signatures.items():
        entry = described.signature_def[name]
        entry.method_name = signature.method
        for tensors, specs in ((entry.inputs, signature.inputs), (entry.outputs, signature.outputs)):
            for spec in specs.values():
                tensors[spec.name].CopyFrom(_tensor_info(spec))
    return described


def _version_status(number: int, state: State, error: str | None) -> Any:
    status = protos.ModelVersionStatus(version=number, state=protos.VERSION_STATES[state.value])
    status.status.error_code = CODE_NUMBERS["OK" if error is None else "UNKNOWN"]
    status.status.error_message = error or ""
    return status


def _tensor_info(spec: TensorSpec) -> Any:
    info = protos.TensorInfo(name=spec.tensor or spec.name)
    # A type this server can't take, such as a resource, is described as invalid rather than left out.
    info.dtype = protos.DATA_TYPES[DTYPES[spec.dtype].enum] if spec.dtype in DTYPES else 0
    if spec.shape is None:
        info.tensor_shape.unknown_rank = True
    for size in spec.shape or ():
        info.tensor_shape.dim.add(size=-1 if size is None else size)
    return info
