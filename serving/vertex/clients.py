"""Google's clients for one place, made when they are first used, and what every call of theirs shares."""

import functools
import time
from typing import TYPE_CHECKING, Any, Final

from roadworthy.serving.errors import DeployError
from roadworthy.serving.vertex.errors import refusal, telling
from roadworthy.serving.vertex.place import Place

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import (
        EndpointServiceClient,
        JobServiceClient,
        ModelServiceClient,
        PredictionServiceClient,
    )

_PAGE: Final = 100


class Clients:
    """The services of one place."""

    def __init__(self, place: Place) -> None:
        """Connects to nothing yet."""
        self.place = place

    @functools.cached_property
    def models(self) -> "ModelServiceClient":
        """The registry."""
        client: ModelServiceClient = self._client("ModelServiceClient", self.place.api_endpoint)
        return client

    @functools.cached_property
    def endpoints(self) -> "EndpointServiceClient":
        """Endpoints and what is deployed on them."""
        client: EndpointServiceClient = self._client("EndpointServiceClient", self.place.api_endpoint)
        return client

    @functools.cached_property
    def jobs(self) -> "JobServiceClient":
        """Batch prediction."""
        client: JobServiceClient = self._client("JobServiceClient", self.place.api_endpoint)
        return client

    @functools.cached_property
    def predictions(self) -> "PredictionServiceClient":
        """Online prediction."""
        client: PredictionServiceClient = self._client(
            "PredictionServiceClient", self.place.prediction_address or self.place.api_endpoint
        )
        return client

    @property
    def reading(self) -> dict[str, Any]:
        """Arguments of calls that change nothing, and so may be sent again."""
        from google.api_core.retry import Retry, if_transient_error

        return {
            "timeout": self.place.call_s,
            "retry": Retry(if_transient_error, initial=0.2, maximum=5.0, timeout=self.place.call_s),
        }

    @property
    def changing(self) -> dict[str, Any]:
        """Arguments of calls that change something: sent once, since what came of it shows at the next look."""
        return {"timeout": self.place.call_s, "retry": None}

    def wait(self, client: Any, operation: str, *, doing: str) -> None:
        """Waits until a long operation is done.

        Args:
            client: of the service that began it.
            operation: its resource name.
            doing: for messages.

        Raises:
            DeployError: it failed, or took longer than `operation_s`; it then goes on over there.
        """
        until = time.monotonic() + self.place.operation_s
        while True:
            with telling(doing, self.place):
                found = client.get_operation({"name": operation}, **self.reading)
            if found.done:
                break
            if time.monotonic() >= until:
                said = f"not done after {self.place.operation_s:g} s; {operation} goes on"
                raise refusal("DEADLINE_EXCEEDED", said, doing=doing, place=self.place)
            time.sleep(self.place.poll_s)
        if found.HasField("error"):
            from google.rpc import code_pb2

            code = code_pb2.Code.Name(found.error.code)
            raise refusal(code, found.error.message, doing=doing, place=self.place)

    def unfinished(self, client: Any, resource: str) -> list[str]:
        """Names of the long operations that are under way of a resource, which need not be there yet."""
        try:
            with telling(f"Listing what is under way at {resource}", self.place):
                listed = client.list_operations({"name": resource, "page_size": _PAGE}, **self.reading)
        except DeployError as error:
            if error.code == "NOT_FOUND":
                return []
            raise
        return [found.name for found in listed.operations if not found.done]

    def _client(self, name: str, address: str) -> Any:
        try:
            from google.api_core.client_options import ClientOptions
            from google.cloud import aiplatform_v1
        except ImportError as error:
            raise DeployError(
                f"Vertex AI needs Google's client. Received: {error}. Install roadworthy[cloud]."
            ) from error
        with telling(f"Connecting to {address}", self.place):
            return getattr(aiplatform_v1, name)(client_options=ClientOptions(api_endpoint=address))
