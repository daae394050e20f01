"""TLS for both transports: key, certificate and the authority of clients, read again when their files change."""

import contextlib
import logging
import os
import ssl
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from roadworthy.serving import protos
from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.text_proto import read_text_proto
from roadworthy.serving.server.watched import Watched

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Identity:
    """What a server shows to its clients, and which clients it lets in.

    Attributes:
        key: private key, PEM.
        certificates: the server's certificate and those between it and its authority, PEM.
        client_ca: authorities whose clients alone are let in, PEM; None lets in clients without a certificate.
    """

    key: bytes = field(repr=False)
    certificates: bytes
    client_ca: bytes | None


class Tls:
    """The identity of a server for both transports; new connections get the newest, those there are stay."""

    def __init__(self, paths: Sequence[Path], read: Callable[[], Identity], *, look_every_s: float = 1.0) -> None:
        """Reads the identity.

        Args:
            paths: its files.
            read: makes the identity of them.
            look_every_s: seconds between two looks for a change.

        Raises:
            ServeError: of `read`.
        """
        self._read = read
        # Connections are set up for it before the files are looked at, so it stays as it was at the start.
        self._asks_clients: bool | None = None
        self._identity = Watched(paths, self._read_alike, look_every_s=look_every_s)
        self._asks_clients = self._identity().client_ca is not None

    @classmethod
    def of_config_file(cls, path: Path) -> "Tls":
        """TLS as TF Serving's `--ssl_config_file` has it.

        Args:
            path: an `SSLConfig` in protobuf's text format; its fields hold PEM texts.

        Raises:
            ServeError: as `read_ssl_config`.
        """
        return cls([path], lambda: read_ssl_config(path))

    @classmethod
    def of_files(cls, *, key: Path, certificate: Path, client_ca: Path | None = None) -> "Tls":
        """TLS of PEM files, as certbot, cert-manager and openssl write them.

        Args:
            key: the private key, without a passphrase.
            certificate: the certificate, then those between it and its authority.
            client_ca: authorities of clients; given, clients need a certificate (mutual TLS).

        Raises:
            ServeError: as `read_pem_files`.
        """
        paths = [key, certificate, *([client_ca] if client_ca else [])]
        return cls(paths, lambda: read_pem_files(key=key, certificate=certificate, client_ca=client_ca))

    def ssl_context(self, *protocols: str) -> ssl.SSLContext:
        """A context for servers, whose handshakes use the newest identity.

        Args:
            protocols: what is spoken inside, by its names in ALPN, such as ``h2`` and ``http/1.1``.
        """
        used = self._identity()
        renewed = context = _context(used, protocols)

        def renew(connection: ssl.SSLObject, _host: str | None, _first: ssl.SSLContext) -> None:
            nonlocal used, renewed
            if (newest := self._identity()) is not used:
                used, renewed = newest, _context(newest, protocols)
            connection.context = renewed

        # Called for every handshake, whether the client names a host or not.
        context.sni_callback = renew
        return context

    def _read_alike(self) -> Identity:
        identity = self._read()
        if self._asks_clients not in (None, identity.client_ca is not None):
            raise ServeError("client_verify can't change while it serves; start the server again.")
        return identity


def read_ssl_config(path: Path) -> Identity:
    """The identity of an `SSLConfig` file.

    Raises:
        ServeError: the file is no `SSLConfig`, or as `_identity`.
    """
    config = read_text_proto(path, protos.SSLConfig)
    _warn_if_readable(path)
    if config.client_verify and not config.custom_ca:
        # Upstream would let in whoever any public authority knows.
        raise ServeError(f"{path}: client_verify needs the clients' authority in custom_ca. Received: none.")
    return _identity(
        config.server_key.encode(),
        config.server_cert.encode(),
        config.custom_ca.encode() if config.client_verify else None,
        places=(f"server_key of {path}", f"server_cert of {path}", f"custom_ca of {path}"),
    )


def read_pem_files(*, key: Path, certificate: Path, client_ca: Path | None) -> Identity:
    """The identity of PEM files.

    Raises:
        ServeError: a file can't be read, or as `_identity`.
    """
    _warn_if_readable(key)
    return _identity(
        _content(key),
        _content(certificate),
        None if client_ca is None else _content(client_ca),
        places=(str(key), str(certificate), str(client_ca)),
    )


def _identity(key: bytes, certificates: bytes, client_ca: bytes | None, *, places: tuple[str, str, str]) -> Identity:
    """Checks that the parts are what they should be and belong together; warns of dates.

    Raises:
        ServeError: a part is no PEM of its kind, the key has a passphrase, or it is not the certificate's.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    key_place, certificate_place, ca_place = places
    try:
        private = load_pem_private_key(key, password=None)
    except TypeError as error:
        raise ServeError(f"{key_place} must be a key without a passphrase. Received: one with.") from error
    except Exception as error:  # cryptography raises several kinds, none of which tells more than this
        raise ServeError(f"{key_place} must be a private key in PEM. Received: something else.") from error
    own, *_ = _certificates(certificates, certificate_place)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != own.public_key().public_bytes(*form):
        raise ServeError(
            f"{key_place} and {certificate_place} must belong together. Received: another key than that of the "
            f"certificate for {own.subject.rfc4514_string() or 'no name'}. Its own certificate must come first."
        )
    _warn_of_dates(own, certificate_place)
    for authority in _certificates(client_ca, ca_place) if client_ca is not None else ():
        _warn_of_dates(authority, ca_place)
    identity = Identity(key, certificates, client_ca)
    try:
        _context(identity, ())
    except ssl.SSLError as error:
        raise ServeError(f"{certificate_place} must be a certificate OpenSSL accepts. Received: {error}.") from error
    return identity


def _certificates(pem: bytes, place: str) -> "list[Certificate]":
    from cryptography.x509 import load_pem_x509_certificates

    try:
        return load_pem_x509_certificates(pem)
    except ValueError as error:
        raise ServeError(f"{place} must be certificates in PEM. Received: something else.") from error


def _warn_of_dates(certificate: "Certificate", place: str) -> None:
    now, name = datetime.now(UTC), certificate.subject.rfc4514_string()
    if now > certificate.not_valid_after_utc:
        _LOG.warning("%s: the certificate for %s expired on %s", place, name, certificate.not_valid_after_utc)
    elif now < certificate.not_valid_before_utc:
        _LOG.warning("%s: the certificate for %s is valid from %s", place, name, certificate.not_valid_before_utc)


def _warn_if_readable(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.stat().st_mode & stat.S_IROTH:
            _LOG.warning("%s holds a private key and everyone may read it; chmod o-r %s", path, path)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ServeError(f"{path} must be a readable file. Received: {error.strerror}.") from error


def _context(identity: Identity, protocols: Sequence[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if protocols:
        context.set_alpn_protocols(list(protocols))
    with _as_file(identity.key + b"\n" + identity.certificates) as path:
        context.load_cert_chain(path)
    if identity.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=identity.client_ca.decode("ascii", "ignore"))
    return context


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path that OpenSSL can open, of a file that is in memory only: a key must not lie on a disk for a moment."""
    number = os.memfd_create("identity")
    try:
        os.write(number, content)
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)
