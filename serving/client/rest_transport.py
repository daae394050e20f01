"""Predict over REST."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np

from roadworthy.serving.client.transport import ask_error
from roadworthy.serving.errors import AskError
from roadworthy.serving.json_tensors import parse_json, read_tensor, write_json, write_tensor
from roadworthy.serving.servables.base import TensorSpec
from roadworthy.serving.status import RequestError, code_of
from roadworthy.serving.tensors import DTYPES, dtype_of

# The suffix that makes `write_tensor` send strings as base64, which every string input takes.
_AS_BYTES = "_bytes"
_NAMES = {dtype.enum: name for name, dtype in DTYPES.items()}


class RestTransport:
    """An HTTP connection to a server; a `Transport`.

    JSON tells neither the data types of an answer nor the name of a single output, so the signature's outputs are
    asked for once and kept.
    """

    def __init__(self, server: str, *, timeout_s: float) -> None:
        self._server = server
        # A proxy of the environment is not meant for a server that is named by host and port.
        self._http = httpx.Client(base_url=f"http://{server}", timeout=timeout_s, trust_env=False)
        self._outputs: dict[tuple[str, int | None, str], dict[str, TensorSpec]] = {}

    def predict(
        self, model: str, inputs: Mapping[str, np.ndarray], *, signature: str, version: int | None
    ) -> dict[str, np.ndarray]:
        """Sends one Predict request; see `Transport.predict`."""
        body = {"signature_name": signature, "inputs": {name: _written(array) for name, array in inputs.items()}}
        path = _path(model, version)
        answer = self._ask("POST", f"{path}:predict", model, content=write_json(body))
        try:
            specs = self._output_specs(model, version, signature)
            outputs = answer["outputs"] if len(specs) > 1 else dict.fromkeys(specs, answer["outputs"])
            return {name: read_tensor(outputs[name], spec) for name, spec in specs.items()}
        except (LookupError, TypeError, AttributeError, RequestError) as error:
            # The latest version may have other outputs than the one that was asked about.
            self._outputs.clear()
            raise AskError(
                f"{self._server}: model {model} answered other outputs than it announces: {error}"
            ) from error

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()

    def _output_specs(self, model: str, version: int | None, signature: str) -> dict[str, TensorSpec]:
        key = (model, version, signature)
        if key not in self._outputs:
            metadata = self._ask("GET", f"{_path(model, version)}/metadata", model)
            signatures = metadata["metadata"]["signature_def"]["signature_def"]
            self._outputs[key] = {
                name: TensorSpec(name, _NAMES.get(info["dtype"], info["dtype"]), None)
                for name, info in sorted(signatures[signature]["outputs"].items())
            }
        return self._outputs[key]

    def _ask(self, method: str, path: str, model: str, *, content: bytes | None = None) -> Any:
        try:
            response = self._http.request(method, path, content=content)
        except httpx.TimeoutException as error:
            raise ask_error("DEADLINE_EXCEEDED", str(error), server=self._server, model=model) from error
        except httpx.HTTPError as error:
            raise ask_error("UNAVAILABLE", str(error), server=self._server, model=model) from error
        document = _document(response)
        if response.is_error:
            message = str(document.get("error", response.reason_phrase))
            raise ask_error(code_of(response.status_code), message, server=self._server, model=model)
        return document


def _path(model: str, version: int | None) -> str:
    return f"/v1/models/{quote(model, safe='')}" + ("" if version is None else f"/versions/{version}")


def _written(array: np.ndarray) -> Any:
    return write_tensor(array, _AS_BYTES if dtype_of(array).name == "string" else "")


def _document(response: httpx.Response) -> dict[str, Any]:
    """The body of an answer; of something other than a model server it may be no JSON at all."""
    try:
        document = parse_json(response.content)
    except RequestError:
        document = None
    return (
        document
        if isinstance(document, dict)
        else {"error": f"an answer that is no JSON object: {response.text[:80]!r}"}
    )
