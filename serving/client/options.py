"""Where a client asks and how: checked once, before anything is sent."""

import math
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from roadworthy.serving.client.errors import InvalidOption
from roadworthy.serving.client.retry import DEFAULT_RETRY, Retry
from roadworthy.serving.loopback import is_loopback

_TRANSPORTS: Final = ("grpc", "rest")
_MAX_PORT: Final = 65535


@dataclass(frozen=True)
class Tls:
    """How a client knows its server, and shows who it is.

    Attributes:
        ca: PEM file of the authorities whose certificates are believed; None is the usual public ones.
        certificate: PEM file of the client's own certificate, for mutual TLS.
        key: PEM file of that certificate's key.

    Raises:
        InvalidOption: a certificate without its key or the other way round, or a file that can't be used.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise _invalid("Tls must have certificate and key together", "one of them")
        self.context()

    def context(self) -> ssl.SSLContext:
        """The settings as Python's `ssl` has them."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate is not None and self.key is not None:
                # Without a password of our own, OpenSSL would ask for one on the terminal.
                context.load_cert_chain(self.certificate, self.key, password="")
        except (OSError, ValueError) as error:
            files = ", ".join(str(file) for file in (self.ca, self.certificate, self.key) if file)
            raise _invalid(f"TLS must be given readable PEM files that go together ({files})", str(error)) from error
        return context

    def pem(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """The bytes of authorities, key and certificate, None for those not given."""
        return _read(self.ca), _read(self.key), _read(self.certificate)


@dataclass(frozen=True)
class Options:
    """Where a client asks and how.

    Attributes:
        server: HOST:PORT, an IPv6 host in brackets.
        transport: ``grpc`` or ``rest``.
        timeout_s: time for a whole call, retries included, > 0.
        retry: when a request is sent again.
        tls: encrypts; None is plain text.
        token: a bearer token; never shown.
        insecure: send a token in plain text to another machine all the same.

    Raises:
        InvalidOption: one that can't be used, or a token that would travel in plain text.
    """

    server: str
    transport: str = "grpc"
    timeout_s: float = 30.0
    retry: Retry = DEFAULT_RETRY
    tls: Tls | None = None
    token: str | None = field(default=None, repr=False)
    insecure: bool = False

    def __post_init__(self) -> None:
        host, _, port = self.server.rpartition(":")
        bare = ":" in host and not (host.startswith("[") and host.endswith("]"))
        if not host or bare or "/" in host or not port.isdecimal() or int(port) > _MAX_PORT:
            raise _invalid("A server must be HOST:PORT, e.g. localhost:8500", self.server)
        if self.transport not in _TRANSPORTS:
            raise _invalid(f"A transport must be one of {', '.join(_TRANSPORTS)}", self.transport)
        check_timeout(self.timeout_s)
        if self.token is not None:
            self._check_token(self.token)

    @property
    def host(self) -> str:
        """The host alone, an IPv6 one without brackets."""
        return self.server.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port alone."""
        return int(self.server.rpartition(":")[2])

    @property
    def authorization(self) -> str | None:
        """The value of the header that carries the token."""
        return None if self.token is None else f"Bearer {self.token}"

    def without_token(self, text: str) -> str:
        """A text from the other side, in which the token may stand, without it."""
        return text.replace(self.token, "[token]") if self.token else text

    def _check_token(self, token: str) -> None:
        if not token.isascii() or not token.isprintable() or not token or " " in token:
            raise _invalid("A token must be visible ASCII characters without spaces", "something else, not shown here")
        if self.tls is None and not self.insecure and not is_loopback(self.host):
            raise _invalid(
                "A token must be sent over TLS, or to this machine alone",
                f"{self.server} without TLS; give tls=Tls(…) (--tls, --tls-ca), or insecure=True (--insecure) "
                "if the way there is safe",
            )


def check_timeout(timeout_s: float) -> float:
    """The time for a call, checked.

    Raises:
        InvalidOption: it is no positive number.
    """
    if not 0 < timeout_s < math.inf:
        raise _invalid("timeout_s must be a number of seconds > 0", str(timeout_s))
    return timeout_s


def _read(file: Path | None) -> bytes | None:
    return None if file is None else file.read_bytes()


def _invalid(required: str, received: str) -> InvalidOption:
    return InvalidOption(f"{required}. Received: {received}.", code="INVALID_ARGUMENT")
