"""Identities of servers: read from files, checked before they are used, followed when the files change."""

import logging
import os
import ssl
import threading
from socket import create_connection, create_server

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from contracts.certificates import Authority
from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.tls import Tls, read_pem_files, read_ssl_config


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def files(tmp_path, authority):
    """Writes a pair, and an authority of clients; gives the arguments of `Tls.of_files`."""

    def written(pair=None, client_ca=None):
        pair = pair or authority.pair()
        contents = {"key": pair.key, "certificate": pair.certificate, "client_ca": client_ca}
        for name, content in contents.items():
            if content is not None:
                (tmp_path / name).write_bytes(content)
                (tmp_path / name).chmod(0o600)
        return {name: tmp_path / name if content is not None else None for name, content in contents.items()}

    return written


def following(read, paths):
    """TLS that looks at its files for every handshake."""
    return Tls(paths, read, look_every_s=0)


@pytest.fixture
def handshake():
    """Shakes hands with a server of Python's `ssl`, as a client with a context; gives the server's certificate."""

    def shaken(server_context, client_context, agreed=None):
        with create_server(("127.0.0.1", 0)) as listening:

            def answer():
                raw, _ = listening.accept()
                try:
                    with server_context.wrap_socket(raw, server_side=True) as accepted:
                        accepted.sendall(b"hello")
                except OSError:
                    raw.close()

            thread = threading.Thread(target=answer)
            thread.start()
            try:
                with (
                    create_connection(listening.getsockname(), timeout=5) as raw,
                    client_context.wrap_socket(raw, server_hostname="localhost") as connected,
                ):
                    # With TLS 1.3 a client learns only by reading that it was refused.
                    assert connected.recv(5) == b"hello"
                    if agreed is not None:
                        agreed.append(connected.selected_alpn_protocol())
                    return connected.getpeercert(binary_form=True)
            finally:
                thread.join()

    return shaken


def client_context(authority, pair=None, tmp_path=None):
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    if pair is not None:
        (tmp_path / "client.pem").write_bytes(pair.key + pair.certificate)
        context.load_cert_chain(tmp_path / "client.pem")
    return context


def der(pair):
    return ssl.PEM_cert_to_DER_cert(pair.certificate.decode())


def test_new_connections_get_the_certificate_the_files_hold_now(authority, files, handshake):
    first, second = authority.pair(), authority.pair()
    paths = files(first)
    tls = following(lambda: read_pem_files(**paths), [paths["key"], paths["certificate"]])
    server, client = tls.ssl_context(), client_context(authority)

    assert handshake(server, client) == der(first)
    files(second)
    assert handshake(server, client) == der(second)


def test_half_a_change_keeps_the_old_certificate(authority, files, handshake, caplog):
    first, second = authority.pair(), authority.pair()
    paths = files(first)
    tls = following(lambda: read_pem_files(**paths), [paths["key"], paths["certificate"]])
    server, client = tls.ssl_context(), client_context(authority)
    paths["key"].write_bytes(second.key)

    assert handshake(server, client) == der(first)
    assert "must belong together" in caplog.text
    paths["certificate"].write_bytes(second.certificate)
    assert handshake(server, client) == der(second)


def test_the_protocol_inside_is_agreed_on_after_a_change_too(authority, files, handshake):
    paths = files()
    tls = following(lambda: read_pem_files(**paths), [paths["key"], paths["certificate"]])
    server, client = tls.ssl_context("h2"), client_context(authority)
    client.set_alpn_protocols(["http/1.1", "h2"])
    agreed = []
    handshake(server, client, agreed)
    files()
    handshake(server, client, agreed)

    assert agreed == ["h2", "h2"]


def test_tls_older_than_1_2_is_refused(authority, files, handshake):
    client = client_context(authority)
    client.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    client.maximum_version = ssl.TLSVersion.TLSv1_1
    client.set_ciphers("ALL:@SECLEVEL=0")

    with pytest.raises(ssl.SSLError):
        handshake(Tls.of_files(**files()).ssl_context(), client)


def test_a_client_that_trusts_another_authority_refuses_the_server(authority, files, handshake, tmp_path):
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(Tls.of_files(**files()).ssl_context(), client_context(Authority(tmp_path, "another")))


def test_mutual_tls_lets_in_only_clients_of_the_authority(authority, files, handshake, tmp_path):
    clients = Authority(tmp_path, "clients")
    server = Tls.of_files(**files(client_ca=clients.certificate)).ssl_context()

    assert handshake(server, client_context(authority, clients.pair("ci"), tmp_path))
    for wrong in (client_context(authority), client_context(authority, authority.pair("ci"), tmp_path)):
        with pytest.raises(OSError, match=r"alert|reset"):
            handshake(server, wrong)


def test_an_ssl_config_file_is_read_as_by_tf_serving(authority, tmp_path, handshake):
    pair, path = authority.pair(), tmp_path / "ssl.config"
    write_ssl_config(path, pair, client_verify="true", custom_ca=authority.certificate)
    server = Tls.of_config_file(path).ssl_context("h2")

    assert handshake(server, client_context(authority, authority.pair("ci"), tmp_path)) == der(pair)
    with pytest.raises(OSError, match=r"alert|reset"):
        handshake(server, client_context(authority))


def write_ssl_config(path, pair, *, client_verify="false", custom_ca=b""):
    def text(pem):
        return '"' + pem.decode().replace("\n", "\\n") + '"'

    path.write_text(
        f"server_key: {text(pair.key)} server_cert: {text(pair.certificate)} "
        f"custom_ca: {text(custom_ca)} client_verify: {client_verify}"
    )
    path.chmod(0o600)


def test_asking_for_certificates_of_clients_can_not_begin_or_end_unnoticed(authority, tmp_path, handshake, caplog):
    path, pair = tmp_path / "ssl.config", authority.pair()
    write_ssl_config(path, pair, client_verify="true", custom_ca=authority.certificate)
    server = following(lambda: read_ssl_config(path), [path]).ssl_context("h2")
    write_ssl_config(path, pair)

    with pytest.raises(OSError, match=r"alert|reset"):
        handshake(server, client_context(authority))
    assert "client_verify can't change while it serves" in caplog.text


def test_verifying_clients_without_an_authority_is_refused(authority, tmp_path):
    write_ssl_config(tmp_path / "ssl.config", authority.pair(), client_verify="true")

    with pytest.raises(ServeError, match="client_verify needs the clients' authority in custom_ca"):
        read_ssl_config(tmp_path / "ssl.config")


@pytest.mark.parametrize(
    ("part", "content", "message"),
    [
        ("key", b"nothing", "key must be a private key in PEM"),
        ("certificate", b"nothing", "certificate must be certificates in PEM"),
        ("client_ca", b"nothing", "client_ca must be certificates in PEM"),
        ("key", None, "must be a readable file. Received: No such file"),
    ],
)
def test_what_is_no_identity_is_refused(files, authority, part, content, message):
    paths = files(client_ca=authority.certificate)
    if content is None:
        paths[part].unlink()
    else:
        paths[part].write_bytes(content)

    with pytest.raises(ServeError, match=message):
        read_pem_files(**paths)


def test_a_key_of_another_certificate_is_refused_by_the_name_of_that(authority, files):
    paths = files()
    paths["key"].write_bytes(authority.pair().key)

    with pytest.raises(ServeError, match=r"must belong together.*CN=localhost"):
        read_pem_files(**paths)


def test_a_key_with_a_passphrase_is_refused(authority, files):
    paths = files()
    key = load_pem_private_key(paths["key"].read_bytes(), None)
    paths["key"].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))

    with pytest.raises(ServeError, match="without a passphrase"):
        read_pem_files(**paths)


def test_an_expired_certificate_is_a_warning(authority, files, caplog):
    with caplog.at_level(logging.WARNING):
        read_pem_files(**files(authority.pair(hours=-1)))

    assert "the certificate for CN=localhost expired on" in caplog.text


def test_a_key_everyone_may_read_is_a_warning(files, caplog):
    paths = files()
    paths["key"].chmod(0o644)
    read_pem_files(**paths)

    assert "everyone may read it" in caplog.text


def test_the_key_is_in_no_text_of_an_identity_and_in_no_open_file(files):
    before = set(os.listdir("/proc/self/fd"))
    identity = read_pem_files(**files())

    assert "PRIVATE" not in repr(identity)
    assert set(os.listdir("/proc/self/fd")) <= before
