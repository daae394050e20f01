"""Ports of loopback for processes that can't be given a bound socket."""

import random
import socket
from contextlib import ExitStack

# Below those that Linux gives to connections, any of which could take a port between the look and the server's start.
_OURS = range(20_000, 32_000)


def free_port() -> int:
    """A port that nobody listens on, drawn so that processes which ask at the same time rarely get the same."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on."""
    with ExitStack() as bound:
        return [_bind(bound) for _ in range(count)]


def _bind(bound: ExitStack) -> int:
    while True:
        port = random.SystemRandom().choice(_OURS)
        try:
            bound.enter_context(socket.create_server(("127.0.0.1", port)))
        except OSError:
            continue
        return port
