"""TF Serving's gRPC protocol: messages out, messages in."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from roadworthy.serving import protos
from roadworthy.serving.client.answers import Outputs, ScoredLabel, VersionStatus
from roadworthy.serving.client.steps import Exchange, Message
from roadworthy.serving.client.wire import Examples, Target, Wire
from roadworthy.serving.servables.base import Signature, TensorSpec
from roadworthy.serving.status import CODE_NUMBERS
from roadworthy.serving.tensors import DTYPES, from_proto, to_proto

_STATES: Final = {number: name for name, number in protos.VERSION_STATES.items()}
_CODES: Final = {number: name for name, number in CODE_NUMBERS.items()}
_DTYPES: Final = {protos.DATA_TYPES[dtype.enum]: name for name, dtype in DTYPES.items()}
_TYPE_NAMES: Final = {number: name for name, number in protos.DATA_TYPES.items()}
_SIGNATURES: Final = "signature_def"


class GrpcWire(Wire):
    """PredictionService and ModelService; see `Wire`."""

    def predict(
        self, target: Target, signature: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]
    ) -> Exchange[Outputs]:
        """Predict; the server filters the outputs."""
        request = protos.PredictRequest(output_filter=outputs)
        _address(request.model_spec, target, signature)
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(to_proto(array))
        response = protos.PredictResponse.FromString((yield _prediction("Predict", request)))
        arrays = {name: from_proto(tensor) for name, tensor in response.outputs.items()}
        return Outputs(arrays, version=response.model_spec.version.value)

    def classify(self, target: Target, signature: str, given: Examples) -> Exchange[list[list[ScoredLabel]]]:
        """Classify."""
        request = _about(protos.ClassificationRequest(), target, signature, given)
        response = protos.ClassificationResponse.FromString((yield _prediction("Classify", request)))
        return [
            [ScoredLabel(one.label, one.score) for one in classified.classes]
            for classified in response.result.classifications
        ]

    def regress(self, target: Target, signature: str, given: Examples) -> Exchange[np.ndarray]:
        """Regress."""
        request = _about(protos.RegressionRequest(), target, signature, given)
        response = protos.RegressionResponse.FromString((yield _prediction("Regress", request)))
        return np.array([one.value for one in response.result.regressions], np.float32)

    def metadata(self, target: Target) -> Exchange[dict[str, Signature]]:
        """GetModelMetadata."""
        request = protos.GetModelMetadataRequest(metadata_field=[_SIGNATURES])
        _address(request.model_spec, target)
        response = protos.GetModelMetadataResponse.FromString((yield _prediction("GetModelMetadata", request)))
        described = protos.SignatureDefMap.FromString(response.metadata[_SIGNATURES].value)
        return {
            name: Signature(_specs(one.inputs), _specs(one.outputs), one.method_name)
            for name, one in sorted(described.signature_def.items())
        }

    def status(self, target: Target) -> Exchange[list[VersionStatus]]:
        """GetModelStatus."""
        request = protos.GetModelStatusRequest()
        _address(request.model_spec, target)
        body = yield Message(f"/{protos.MODEL_SERVICE}/GetModelStatus", request.SerializeToString())
        return [
            VersionStatus(one.version, _STATES[one.state], _CODES[one.status.error_code], one.status.error_message)
            for one in protos.GetModelStatusResponse.FromString(body).model_version_status
        ]


def _prediction(method: str, request: Any) -> Message:
    return Message(f"/{protos.PREDICTION_SERVICE}/{method}", request.SerializeToString())


def _address(spec: Any, target: Target, signature: str = "") -> None:
    spec.name = target.model
    spec.signature_name = signature
    if target.version is not None:
        spec.version.value = target.version
    if target.label is not None:
        spec.version_label = target.label


def _about(request: Any, target: Target, signature: str, given: Examples) -> Any:
    _address(request.model_spec, target, signature)
    listed = request.input.example_list
    if given.context is not None:
        listed = request.input.example_list_with_context
        _fill(listed.context, given.context)
    for features in given.examples:
        _fill(listed.examples.add(), features)
    return request


def _fill(example: Any, features: Mapping[str, list[Any]]) -> None:
    fields = {bytes: "bytes_list", int: "int64_list", float: "float_list"}
    for name, values in features.items():
        feature = example.features.feature[name]
        if values:
            getattr(feature, fields[type(values[0])]).value.extend(values)


def _specs(tensors: Any) -> dict[str, TensorSpec]:
    return {
        name: TensorSpec(name, _DTYPES.get(info.dtype, _TYPE_NAMES.get(info.dtype, "")), _shape(info.tensor_shape))
        for name, info in sorted(tensors.items())
    }


def _shape(shape: Any) -> tuple[int | None, ...] | None:
    if shape.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else dim.size for dim in shape.dim)
