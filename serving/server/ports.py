"""Where a server listens: loopback unless told otherwise, and never on a port that is taken."""

import errno
import logging
import resource
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from roadworthy.serving.errors import ServeError
from roadworthy.serving.loopback import is_loopback

_LOG: Final = logging.getLogger(__name__)


def check_host(host: str, *, encrypted: bool = False, insecure: bool = False) -> None:
    """Refuses to listen beyond this machine in plain text, unless that was asked for.

    Raises:
        ServeError: the host is not loopback, nothing is encrypted and `insecure` is false.
    """
    if not (encrypted or insecure or is_loopback(host)):
        raise ServeError(
            f"--host must be a loopback address such as 127.0.0.1, since nothing is encrypted. Received: {host}. "
            "Give it a certificate and its key (--tls_cert, --tls_key), or let other machines in all the same with "
            "--insecure."
        )


def check_ports(host: str, ports: Mapping[str, int]) -> None:
    """Refuses ports that can't be listened on, before anything is loaded or printed.

    Args:
        host: address to listen on.
        ports: port by the option that chose it; 0 is any free one.

    Raises:
        ServeError: the first port that is in use or not allowed, or given twice; the message names its option.
    """
    chosen = [port for port in ports.values() if port]
    if len(set(chosen)) != len(chosen):
        raise ServeError(f"{' and '.join(ports)} must be two ports. Received: {chosen[0]} for both.")
    for option, port in ports.items():
        listen(host, port, option=option).close()


def listen(host: str, port: int, *, option: str) -> socket.socket:
    """A socket bound to an address.

    Raises:
        ServeError: the port is in use or not allowed; the message names the option that chooses another.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    # A port whose last connections still linger can be taken again at once, as after a restart.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen()
    except OSError as error:
        bound.close()
        taken = "is in use" if error.errno == errno.EADDRINUSE else f"can't be listened on ({error.strerror or error})"
        raise ServeError(
            f"Port {port} of {host} must be free. Received: it {taken}. "
            f"Choose another with {option}, or 0 for any free one."
        ) from error
    return bound


def listen_unix(path: Path) -> socket.socket:
    """A socket bound to a path; as with TF Serving, one that is there is replaced, also while a server answers on it.

    Raises:
        ServeError: the path can't be used, or something else is there.
    """
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            path.unlink()
        bound.bind(str(path))
        bound.listen()
    except OSError as error:
        bound.close()
        raise ServeError(
            f"--grpc_socket_path must be a path that is free. Received: {path}: {error.strerror or error}."
        ) from error
    return bound


def address(host: str, port: int) -> str:
    """HOST:PORT, an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def allow_open_files(count: int) -> None:
    """Raises this process's own limit of open files to what so many connections need, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < count:
        _LOG.warning("%d open files are allowed, %d connections may come to need more; see ulimit -n", wanted, count)
