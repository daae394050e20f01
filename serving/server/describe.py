"""What a model is and how it fares, as TF Serving's messages; both transports answer with these."""

from collections.abc import Mapping
from typing import Any, Final

from roadworthy.serving import protos
from roadworthy.serving.servables.base import Signature, TensorSpec
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.version import State
from roadworthy.serving.tensors import DTYPES

# google.rpc.Code numbers as they stand in StatusProto.error_code.
_OK: Final = 0
_UNKNOWN: Final = 2
_PREDICT_METHOD: Final = "tensorflow/serving/predict"


def model_status(manager: Manager, model: str, version: int | None) -> Any:
    """The `GetModelStatusResponse` of a model.

    Raises:
        RequestError: NOT_FOUND, no such model or version.
    """
    response = protos.GetModelStatusResponse()
    for number, state, error in manager.statuses(model, version):
        response.model_version_status.append(_version_status(number, state, error))
    return response


def model_metadata(manager: Manager, model: str, version: int | None) -> Any:
    """The `GetModelMetadataResponse` of a model: its signatures.

    Raises:
        RequestError: NOT_FOUND, no such model or version is available.
    """
    with manager.use(model, version) as (number, servable):
        signatures = signature_def_map(servable.signatures)
    response = protos.GetModelMetadataResponse()
    response.model_spec.name = model
    response.model_spec.version.value = number
    response.metadata["signature_def"].Pack(signatures)
    return response


def signature_def_map(signatures: Mapping[str, Signature]) -> Any:
    """The `SignatureDefMap` of a model's signatures."""
    described = protos.SignatureDefMap()
    for name, signature in signatures.items():
        entry = described.signature_def[name]
        entry.method_name = _PREDICT_METHOD
        for tensors, specs in ((entry.inputs, signature.inputs), (entry.outputs, signature.outputs)):
            for spec in specs.values():
                tensors[spec.name].CopyFrom(_tensor_info(spec))
    return described


def _version_status(number: int, state: State, error: str | None) -> Any:
    status = protos.ModelVersionStatus(version=number, state=protos.VERSION_STATES[state.value])
    status.status.error_code = _OK if error is None else _UNKNOWN
    status.status.error_message = error or ""
    return status


def _tensor_info(spec: TensorSpec) -> Any:
    info = protos.TensorInfo(name=spec.name)
    # A type this server can't take, such as a resource, is described as invalid rather than left out.
    info.dtype = protos.DATA_TYPES[DTYPES[spec.dtype].enum] if spec.dtype in DTYPES else 0
    if spec.shape is None:
        info.tensor_shape.unknown_rank = True
    for size in spec.shape or ():
        info.tensor_shape.dim.add(size=-1 if size is None else size)
    return info
