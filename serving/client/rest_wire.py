"""TF Serving's REST protocol: JSON out, JSON in."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import numpy as np

from roadworthy.serving.client.answers import Outputs, ScoredLabel, VersionStatus
from roadworthy.serving.client.errors import InvalidRequest
from roadworthy.serving.client.steps import Exchange, Message, Reply
from roadworthy.serving.client.wire import Examples, Target, Wire
from roadworthy.serving.json_tensors import read_tensor, write_json, write_tensor
from roadworthy.serving.json_values import parse_json
from roadworthy.serving.servables.base import Signature, TensorSpec
from roadworthy.serving.status import RequestError, code_of
from roadworthy.serving.tensors import DTYPES, dtype_of

# The suffix that makes `write_tensor` send strings as base64, which every string input takes.
_AS_BYTES: Final = "_bytes"
_NAMES: Final = {dtype.enum: name for name, dtype in DTYPES.items()}
_HTTP_OK: Final = 200
# What proxies say when the server behind them is away.
_BAD_GATEWAY: Final = 502


class RestWire(Wire):
    """The paths below ``/v1/models``; see `Wire`.

    JSON tells neither the data types of an answer nor the name of a single output, so the signatures are asked for once
    and kept.
    """

    def predict(
        self, target: Target, signature: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]
    ) -> Exchange[Outputs]:
        """Asks by column; REST has no filter, so the outputs are chosen here."""
        known = yield from self.signature(target, signature)
        _check_outputs(outputs, known)
        body = {"signature_name": signature, "inputs": {name: _written(array) for name, array in inputs.items()}}
        answer = _document((yield _post(target, "predict", body)))["outputs"]
        try:
            named = answer if len(known.outputs) > 1 else dict.fromkeys(known.outputs, answer)
            return Outputs({name: read_tensor(named[name], known.outputs[name]) for name in outputs or known.outputs})
        except (LookupError, TypeError, RequestError):
            # The latest version may have other outputs than the one that was asked about.
            self.forget()
            raise

    def classify(self, target: Target, signature: str, given: Examples) -> Exchange[list[list[ScoredLabel]]]:
        """Asks ``:classify``."""
        answer = _document((yield _post(target, "classify", _about(signature, given))))
        return [[ScoredLabel(label, float(score)) for label, score in classes] for classes in answer["results"]]

    def regress(self, target: Target, signature: str, given: Examples) -> Exchange[np.ndarray]:
        """Asks ``:regress``."""
        answer = _document((yield _post(target, "regress", _about(signature, given))))
        return np.array(answer["results"], np.float32)

    def metadata(self, target: Target) -> Exchange[dict[str, Signature]]:
        """Asks ``/metadata``."""
        answer = _document((yield Message(f"{_path(target)}/metadata", method="GET")))
        return {
            name: Signature(_specs(one["inputs"]), _specs(one["outputs"]), one.get("method_name", ""))
            for name, one in sorted(answer["metadata"]["signature_def"]["signature_def"].items())
        }

    def status(self, target: Target) -> Exchange[list[VersionStatus]]:
        """Asks for the model itself."""
        answer = _document((yield Message(_path(target), method="GET")))
        return [
            VersionStatus(
                int(one["version"]), one["state"], one["status"]["error_code"], one["status"].get("error_message", "")
            )
            for one in answer["model_version_status"]
        ]


def reply_of(status: int, body: bytes) -> Reply:
    """What an HTTP response amounts to."""
    if status == _HTTP_OK:
        return Reply("OK", body)
    code = "UNAVAILABLE" if status == _BAD_GATEWAY else code_of(status)
    try:
        message = str(_document(body)["error"])
    except (RequestError, KeyError):
        message = f"HTTP status {status}"
    return Reply(code, message=message)


def _post(target: Target, verb: str, body: Any) -> Message:
    return Message(f"{_path(target)}:{verb}", write_json(body))


def _path(target: Target) -> str:
    path = f"/v1/models/{quote(target.model, safe='')}"
    if target.version is not None:
        return f"{path}/versions/{target.version}"
    return path if target.label is None else f"{path}/labels/{quote(target.label, safe='')}"


def _written(array: np.ndarray) -> Any:
    if array.dtype.kind == "c":
        raise InvalidRequest(
            f"REST takes no complex numbers; ask over gRPC. Received: {array.dtype}.", code="INVALID_ARGUMENT"
        )
    return write_tensor(array, _AS_BYTES if dtype_of(array).name == "string" else "")


def _about(signature: str, given: Examples) -> dict[str, Any]:
    body: dict[str, Any] = {"signature_name": signature, "examples": [_features(one) for one in given.examples]}
    return body if given.context is None else {**body, "context": _features(given.context)}


def _features(features: Mapping[str, list[Any]]) -> dict[str, Any]:
    return {
        name: [{"b64": base64.b64encode(one).decode()} if isinstance(one, bytes) else one for one in values]
        for name, values in features.items()
    }


def _check_outputs(wanted: Sequence[str], signature: Signature) -> None:
    unknown = sorted(set(wanted) - signature.outputs.keys())
    if unknown:
        raise InvalidRequest(
            f"outputs must be among {sorted(signature.outputs)}. Received: {unknown}.", code="INVALID_ARGUMENT"
        )


def _document(body: bytes) -> dict[str, Any]:
    """The JSON object of an answer.

    Raises:
        RequestError: it is something else, as of a server that is no model server.
    """
    document = parse_json(body)
    if not isinstance(document, dict):
        raise RequestError(f"An answer must be a JSON object. Received: {body[:80]!r}")
    return document


def _specs(tensors: Mapping[str, Any]) -> dict[str, TensorSpec]:
    return {
        name: TensorSpec(name, _NAMES.get(info["dtype"], info["dtype"]), _shape(info.get("tensor_shape", {})))
        for name, info in sorted(tensors.items())
    }


def _shape(shape: Mapping[str, Any]) -> tuple[int | None, ...] | None:
    if shape.get("unknown_rank"):
        return None
    sizes = [int(dim["size"]) for dim in shape.get("dim", [])]
    return tuple(None if size < 0 else size for size in sizes)
