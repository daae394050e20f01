"""A server of several processes, from start to a graceful stop."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any

from roadworthy.serving import protos
from roadworthy.serving.server.listening import Listening
from roadworthy.serving.server.loop_thread import LoopThread
from roadworthy.serving.server.manager import Loading, Source
from roadworthy.serving.server.ports import check_host, listen_unix
from roadworthy.serving.server.run import allow_connections, bind, log_to_stderr, stop_signals
from roadworthy.serving.server.workers.crew import Crew
from roadworthy.serving.server.workers.doors import GRPC, REST, Doors
from roadworthy.serving.server.workers.leader import Leader


def run_workers(
    source: Source,
    listening: Listening,
    *,
    count: int,
    arguments: Sequence[str],
    loading: Loading,
    on_ready: Callable[[int, int | None], None] = lambda grpc_port, rest_port: None,
) -> None:
    """Serves until SIGINT or SIGTERM, as `run_server` does, with requests answered by several processes.

    Args:
        source: gives the models to serve, as of `Manager`.
        listening: where.
        count: how many processes answer, >= 1.
        arguments: the server's own command line, of which the workers take what concerns them.
        loading: how often versions are looked for and tried again.
        on_ready: called with the gRPC and the REST port once both answer.

    Raises:
        ServeError: as `run_server`, or a worker that can't be started.
    """
    log_to_stderr()
    allow_connections(listening)
    check_host(listening.host, encrypted=listening.tls is not None, insecure=listening.insecure)
    grpc, rest = bind(listening)
    loop = LoopThread()
    crew = Crew(
        count, arguments, drain_s=listening.drain_s, reload_asked=lambda config: leader.reload_asked(_config(config))
    )
    leader = Leader(source, crew, loop, loading=loading)
    doors = Doors(_doors(listening, grpc, rest), lambda: crew.workers)
    with stop_signals(at_once=crew.kill) as stop:
        loop.start()
        try:
            loop.run(crew.start())
            leader.start()
            loop.run(crew.begin())
            loop.run(doors.open())
            on_ready(grpc.getsockname()[1], rest.getsockname()[1] if rest is not None else None)
            stop.wait()
            loop.run(_stop(crew, doors, drain_delay_s=listening.drain_delay_s))
            leader.stop()
        finally:
            crew.kill()
            loop.stop()


async def _stop(crew: Crew, doors: Doors, *, drain_delay_s: float) -> None:
    await crew.drain()
    # Whoever shares out requests looks at the health only now and then, and sends some more meanwhile.
    await asyncio.sleep(drain_delay_s)
    doors.close()
    await crew.finish()


def _doors(listening: Listening, grpc: socket.socket, rest: socket.socket | None) -> dict[socket.socket, bytes]:
    doors = {grpc: GRPC} | ({rest: REST} if rest is not None else {})
    if listening.grpc_socket is not None:
        doors[listen_unix(listening.grpc_socket)] = GRPC
    return doors


def _config(serialized: bytes) -> Any:
    return protos.ModelServerConfig.FromString(serialized)
