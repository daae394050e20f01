"""Predict over gRPC."""

from collections.abc import Mapping
from typing import Any

import grpc
import numpy as np

from roadworthy.serving import protos
from roadworthy.serving.client.transport import MAX_MESSAGE_BYTES, ask_error
from roadworthy.serving.errors import AskError
from roadworthy.serving.tensors import TensorError, from_proto, to_proto


class GrpcTransport:
    """A channel to a server; a `Transport`."""

    def __init__(self, server: str, *, timeout_s: float) -> None:
        self._server = server
        self._timeout_s = timeout_s
        self._channel = grpc.insecure_channel(
            server,
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
                # A proxy of the environment is not meant for a server that is named by host and port.
                ("grpc.enable_http_proxy", 0),
            ],
        )
        self._predict = self._channel.unary_unary(
            f"/{protos.PREDICTION_SERVICE}/Predict",
            request_serializer=protos.PredictRequest.SerializeToString,
            response_deserializer=protos.PredictResponse.FromString,
        )

    def predict(
        self, model: str, inputs: Mapping[str, np.ndarray], *, signature: str, version: int | None
    ) -> dict[str, np.ndarray]:
        """Sends one Predict request; see `Transport.predict`."""
        request = _request(model, inputs, signature, version)
        try:
            response = self._predict(request, timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise ask_error(error.code().name, error.details() or "", server=self._server, model=model) from error
        try:
            return {name: from_proto(tensor) for name, tensor in response.outputs.items()}
        except TensorError as error:
            raise AskError(f"{self._server}: model {model} answered what can't be read: {error}") from error

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()


def _request(model: str, inputs: Mapping[str, np.ndarray], signature: str, version: int | None) -> Any:
    request = protos.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    for name, array in inputs.items():
        request.inputs[name].CopyFrom(to_proto(array))
    return request
