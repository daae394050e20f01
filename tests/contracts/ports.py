"""Ports of loopback for processes that can't be given a bound socket."""

import random
import socket

# Below those that Linux gives to connections, any of which could take a port between the look and the server's start.
_OURS = range(20_000, 32_000)


def free_port() -> int:
    """A port that nobody listens on, drawn so that processes which ask at the same time rarely get the same."""
    while True:
        port = random.SystemRandom().choice(_OURS)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
