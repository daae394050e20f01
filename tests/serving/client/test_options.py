import re

import pytest

from contracts.certificates import Authority
from contracts.unwilling import Mutual, unwilling
from roadworthy.serving.client import AskError, Client, InvalidOption, Retry, Tls, Unavailable

ONCE = Retry(attempts=1)
SECRET = "s3cret-of-the-house"  # noqa: S105


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture
def secured(authority, transport):
    with unwilling(transport, tls=Mutual(authority.issue("server"), authority.file)) as server:
        yield server


def test_client_and_server_know_each_other_by_certificate(ask, secured, authority):
    own = authority.issue("client")
    tls = Tls(ca=authority.file, certificate=own.certificate, key=own.key)

    assert ask(secured.address, "status", "m", options={"tls": tls, "token": "t"})[0].version == 1
    assert secured.asked[0]["authorization"] == "Bearer t"


def test_a_server_of_another_authority_is_not_asked(ask, secured, authority, stranger):
    own = authority.issue("client")
    tls = Tls(ca=stranger.file, certificate=own.certificate, key=own.key)

    with pytest.raises(Unavailable, match=r"(?i)certificate"):
        ask(secured.address, "status", "m", options={"tls": tls, "retry": ONCE})
    assert secured.asked == []


@pytest.mark.parametrize("with_own", [True, False])
def test_a_client_the_server_does_not_know_is_unavailable(ask, secured, authority, stranger, with_own):
    own = stranger.issue("client")
    pair = {"certificate": own.certificate, "key": own.key} if with_own else {}

    with pytest.raises(Unavailable):
        ask(secured.address, "status", "m", options={"tls": Tls(ca=authority.file, **pair), "retry": ONCE})
    assert secured.asked == []


def test_plain_text_to_a_server_with_tls_is_unavailable(ask, secured):
    with pytest.raises(Unavailable, match="use TLS and the other not"):
        ask(secured.address, "status", "m", options={"retry": ONCE})


def test_certificate_and_key_go_together(authority):
    with pytest.raises(InvalidOption, match="certificate and key together"):
        Tls(certificate=authority.issue("lonely").certificate)


@pytest.mark.parametrize("content", [b"", b"no certificate", None])
def test_a_file_that_is_no_certificate_is_named(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(InvalidOption, match=f"readable PEM files.*{file}"):
        Tls(ca=file)


@pytest.mark.parametrize("host", ["example.com:8500", "10.0.0.7:8500", "[2001:db8::1]:8500"])
def test_a_token_does_not_leave_this_machine_in_plain_text(host):
    with pytest.raises(InvalidOption, match=rf"{re.escape(host)} without TLS.*insecure=True"):
        Client.open(host, token=SECRET)
    assert SECRET not in repr(Client.open(host, token=SECRET, insecure=True))
    assert SECRET not in repr(Client.open(host, token=SECRET, tls=Tls()))


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1"])
def test_a_token_may_stay_on_this_machine(host):
    Client.open(host, token=SECRET).close()


@pytest.mark.parametrize("token", ["", "two words", "line\r\nX-Evil: 1", "naïve", "\x00"])
def test_a_token_that_is_no_header_is_refused_unseen(token):
    with pytest.raises(InvalidOption, match="visible ASCII") as refused:
        Client.open("localhost:1", token=token)
    assert token == "" or token not in str(refused.value)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_time_that_is_no_time_is_refused(seconds):
    with pytest.raises(InvalidOption, match="timeout_s"):
        Client.open("localhost:1", timeout_s=seconds)
    with Client.open("localhost:1") as client, pytest.raises(InvalidOption, match="timeout_s"):
        client.status("m", timeout_s=seconds)


def test_every_error_of_a_client_is_an_ask_error():
    from roadworthy.serving.client import errors

    for name in errors.__all__:
        kind = getattr(errors, name)
        if isinstance(kind, type):
            assert issubclass(kind, AskError)
            assert kind is AskError or f" {name} " in errors.__doc__
