"""Both transports over what is served, and what they share; importing them takes as long as loading a small model."""

import asyncio
import contextlib
import functools
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from roadworthy.serving.server.grpc_server import GrpcServer
from roadworthy.serving.server.grpc_service import GrpcService, limits_of
from roadworthy.serving.server.health import Health
from roadworthy.serving.server.incoming import Incoming
from roadworthy.serving.server.listening import Listening
from roadworthy.serving.server.metrics import CONTENT_TYPE, Metrics
from roadworthy.serving.server.observe import Observer, Observers
from roadworthy.serving.server.page.application import page_routes
from roadworthy.serving.server.readiness import LIVE_PATH, READY_PATH, ModelReadiness, Readiness, live
from roadworthy.serving.server.rest_app import Application, RestApp, text_page
from roadworthy.serving.server.rest_server import RestServer, with_cors
from roadworthy.serving.server.served import Served
from roadworthy.serving.server.work import Work

# As many of the longest requests may be coming in at a time.
_INCOMING_REQUESTS: Final = 4
# Between two looks whether all models answer, until they do.
_UNREADY_POLL_S: Final = 0.1
_LOG: Final = logging.getLogger(__name__)


class Transports:
    """gRPC and REST from start to a graceful stop; belongs to the event loop's thread.

    Attributes:
        metrics: counts the requests; None where nobody wants to know.
    """

    def __init__(
        self,
        served: Served,
        work: Work,
        listening: Listening,
        *,
        grpc: Sequence[socket.socket],
        rest: Sequence[socket.socket] | None,
        observers: Sequence[Observer],
        metrics_text: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        """Answers nothing yet.

        Args:
            served: what is served.
            work: where requests are worked on.
            listening: how.
            grpc: bound sockets for gRPC; where there are none, clients come by `take`.
            rest: bound sockets for REST; None is no REST.
            observers: told of every request.
            metrics_text: what is shown of the metrics; None is those of this process.
        """
        self._served = served
        self._work = work
        self._listening = listening
        self._incoming = Incoming(max_bytes=_INCOMING_REQUESTS * listening.max_request_bytes)
        self._health = Health() if listening.health else None
        self._becoming_ready: asyncio.Task[None] | None = None
        self._readiness = Readiness()
        self.metrics = Metrics() if listening.metrics_path else None
        self._metrics_text = metrics_text or self._own_text
        self._observers = Observers([*observers, *([self.metrics] if self.metrics else [])])
        self._grpc = self._grpc_server(grpc)
        self._rest = self._rest_server(rest) if rest is not None else None

    async def start(self) -> None:
        """Begins to answer, and says that it is ready once every model is."""
        tls = self._listening.tls
        await self._grpc.start(None if tls is None else tls.ssl_context("h2"))
        if self._rest is not None:
            await self._rest.start(None if tls is None else tls.ssl_context("http/1.1"))
        if self._served.all_available():
            self._be_ready()
        else:
            _LOG.warning("not ready: there is no model yet, or one of them has no version that could be loaded")
            self._becoming_ready = asyncio.create_task(self._become_ready())

    async def take(self, client: socket.socket, *, over_rest: bool) -> None:
        """Takes in a client that another process has accepted."""
        server = self._rest if over_rest and self._rest is not None else self._grpc
        # A client that is gone already, or whose TLS is not ours, is its own affair.
        with contextlib.suppress(OSError):
            await server.take(client)

    def open_connections(self) -> int:
        """How many clients are connected, over both transports."""
        return self._grpc.open_connections() + (self._rest.open_connections() if self._rest is not None else 0)

    async def stop(self) -> None:
        """Says that it stops, takes no more requests, and waits for those under way."""
        self.drain()
        # Whoever shares out requests looks at the health only now and then, and sends some more meanwhile.
        await asyncio.sleep(self._listening.drain_delay_s)
        await self.finish()

    def drain(self) -> None:
        """Says that it is about to stop, and goes on as before."""
        if self._becoming_ready is not None:
            self._becoming_ready.cancel()
        self._readiness.ready = False
        if self._health is not None:
            self._health.not_serving()

    async def finish(self) -> None:
        """Takes no more requests, and waits for those under way."""
        stops = [self._grpc.stop(grace_s=self._listening.drain_s)]
        if self._rest is not None:
            stops.append(self._rest.stop())
        await asyncio.gather(*stops)

    async def _own_text(self) -> str:
        return self.metrics.text() if self.metrics is not None else ""

    async def _become_ready(self) -> None:
        """A model that is added later, or fails later, doesn't take the others down."""
        while not self._served.all_available():
            await asyncio.sleep(_UNREADY_POLL_S)
        self._be_ready()

    def _be_ready(self) -> None:
        self._readiness.ready = True
        if self._health is not None:
            self._health.serving()

    def _grpc_server(self, bound: Sequence[socket.socket]) -> GrpcServer:
        listening = self._listening
        service = GrpcService(
            self._served,
            self._work,
            self._incoming,
            observers=self._observers,
            health=self._health,
            profiling=listening.profiler,
            **{"max_message_bytes": listening.max_request_bytes, **limits_of(listening.grpc_options)},
        )
        return GrpcServer(service, bound, max_connections=listening.max_connections)

    def _rest_server(self, bound: Sequence[socket.socket]) -> RestServer:
        listening = self._listening
        app = self._rest_app()
        return RestServer(
            with_cors(app) if listening.cors else app,
            bound,
            drain_s=listening.drain_s,
            timeout_s=listening.rest_timeout_s,
            # Headers for other origins are added on the long way.
            short_way=None if listening.cors else app,
            max_connections=listening.max_connections,
        )

    def _rest_app(self) -> RestApp:
        listening = self._listening
        routes: dict[str, Application] = {LIVE_PATH: live, READY_PATH: self._readiness}
        for path, model in listening.health_routes.items():
            routes[path] = ModelReadiness(self._readiness, functools.partial(self._served.is_available, model))
        if listening.page:
            routes |= page_routes(self._served)
        if listening.metrics_path is not None and self.metrics is not None:
            routes[listening.metrics_path] = text_page(self._metrics_text, CONTENT_TYPE)
        return RestApp(
            self._served,
            self._work,
            self._incoming,
            timeout_s=listening.rest_timeout_s,
            max_body_bytes=listening.max_request_bytes,
            observers=self._observers,
            routes=routes,
            aliases=listening.aliases,
        )
