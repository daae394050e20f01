"""gRPC's own health service, for load balancers and for Kubernetes' probes.

Reference: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

from typing import Final

from google.protobuf.message import DecodeError
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from roadworthy.serving.server.burst import Tell
from roadworthy.serving.status import RequestError

# The names upstream answers for; the empty one is the server as a whole.
SERVICES: Final = ("", "ModelService", "PredictionService")
_CHECK: Final = b"/grpc.health.v1.Health/Check"
_WATCH: Final = b"/grpc.health.v1.Health/Watch"
# As observers know its methods.
PATHS: Final = (_CHECK.decode(), _WATCH.decode())


class Health:
    """What the server says of itself: not serving before it has loaded and from the moment it is told to stop.

    Belongs to the event loop's thread.
    """

    def __init__(self) -> None:
        self._status = HealthCheckResponse.NOT_SERVING
        self._watches: set[Watch] = set()

    def serving(self) -> None:
        """All services answer."""
        self._say(HealthCheckResponse.SERVING)

    def not_serving(self) -> None:
        """No new requests, please; those under way are answered."""
        self._say(HealthCheckResponse.NOT_SERVING)

    def answers(self, path: bytes) -> bool:
        """Whether a path is one of the health service's methods."""
        return path in (_CHECK, _WATCH)

    def answer(self, path: bytes, message: bytes) -> "bytes | Watch":
        """Answers a check, or begins a watch.

        Raises:
            RequestError: NOT_FOUND, a check of a service that isn't here; INVALID_ARGUMENT, no HealthCheckRequest.
        """
        try:
            service = HealthCheckRequest.FromString(message).service
        except DecodeError as error:
            raise RequestError(f"A request must be a HealthCheckRequest. Received: {error}.") from error
        if path == _WATCH:
            return Watch(self, service)
        if service not in SERVICES:
            raise RequestError("unknown service", code="NOT_FOUND")
        return self.told(service)

    def told(self, service: str) -> bytes:
        """The message that says how a service is."""
        known = self._status if service in SERVICES else HealthCheckResponse.SERVICE_UNKNOWN
        message: bytes = HealthCheckResponse(status=known).SerializeToString()
        return message

    def add(self, watch: "Watch") -> None:
        """Tells a watch of every change from now on."""
        self._watches.add(watch)

    def remove(self, watch: "Watch") -> None:
        """Tells a watch no more."""
        self._watches.discard(watch)

    def _say(self, status: HealthCheckResponse.ServingStatus) -> None:
        if status != self._status:
            self._status = status
            for watch in list(self._watches):
                watch.changed()


class Watch:
    """One client that is told how a service is, now and whenever that changes; an `Answering` without end."""

    endless = True

    def __init__(self, health: Health, service: str) -> None:
        self._health = health
        self._service = service
        self._tell: Tell[bytes] | None = None

    def begin(self, tell: Tell[bytes]) -> None:
        """Tells how it is now."""
        self._tell = tell
        self._health.add(self)
        self.changed()

    def changed(self) -> None:
        """Tells how it is."""
        if self._tell is not None:
            self._tell(self._health.told(self._service), None)

    def stop(self) -> None:
        """Tells no more."""
        self._health.remove(self)
