"""Token files: read, refused, followed; and who may do what."""

import contextlib
import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.tokens import ADMIN, METRICS, Tokens, mint, read_tokens
from roadworthy.serving.status import RequestError


@pytest.fixture
def token_file(tmp_path):
    """Writes lines; gives the path."""

    def written(*lines, mode=0o600):
        path = tmp_path / "tokens"
        path.write_text("\n".join(lines))
        path.chmod(mode)
        return path

    return written


def refused(call, *given):
    with pytest.raises(RequestError) as error:
        call(*given)
    return error.value.code


def test_a_minted_token_is_known_by_its_line(token_file):
    (token, line), (_, other) = mint("ci", ["fashion*", "small"]), mint("ops", ["*", ADMIN])
    tokens = Tokens(token_file("# who may ask", "", other, line))

    caller = tokens.caller(f"Bearer {token}")
    assert (caller.name, caller.models, caller.scopes) == ("ci", ("fashion*", "small"), frozenset())
    assert tokens.caller(f"bearer  {token} ").name == "ci"
    assert line.split()[0] == hashlib.sha256(token.encode()).hexdigest()
    assert token not in line


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer nobody's", "Bearer é\udc80", "Bearer " + "x" * 9999]
)
def test_whoever_shows_no_token_of_the_file_is_unauthenticated(token_file, header):
    tokens = Tokens(token_file(mint("ci", ["*"])[1]))

    assert refused(tokens.caller, header) == "UNAUTHENTICATED"


def test_a_hash_is_no_token(token_file):
    _, line = mint("ci", ["*"])

    assert refused(Tokens(token_file(line)).caller, f"Bearer {line.split()[0]}") == "UNAUTHENTICATED"


def test_a_token_is_for_the_models_of_its_patterns_alone(token_file):
    token, line = mint("ci", ["fashion*"])
    caller = Tokens(token_file(line)).caller(f"Bearer {token}")

    caller.check_model("fashion")
    caller.check_model("fashion-2")
    for model in ("small", "Fashion", "my-fashion", ""):
        assert refused(caller.check_model, model) == "PERMISSION_DENIED"


@pytest.mark.parametrize(
    ("given", "scope", "allowed"),
    [(["*"], ADMIN, False), (["*"], METRICS, False), ([METRICS], METRICS, True), ([METRICS], ADMIN, False),
     ([ADMIN], METRICS, True), ([ADMIN], ADMIN, True)],
)  # fmt: skip
def test_scopes_are_given_by_name(token_file, given, scope, allowed):
    token, line = mint("ops", given)
    caller = Tokens(token_file(line)).caller(f"Bearer {token}")

    if allowed:
        caller.check_scope(scope)
    else:
        assert refused(caller.check_scope, scope) == "PERMISSION_DENIED"


def test_an_edit_is_followed_and_a_broken_one_is_not(token_file, caplog):
    (old, old_line), (new, new_line) = mint("old", ["*"]), mint("new", ["*"])
    path = token_file(old_line)
    tokens = Tokens(path, look_every_s=0)

    token_file("broken")
    assert tokens.caller(f"Bearer {old}").name == "old"
    assert "what it said before stays" in caplog.text
    path.unlink()
    assert tokens.caller(f"Bearer {old}").name == "old"
    token_file(new_line)
    assert tokens.caller(f"Bearer {new}").name == "new"
    assert refused(tokens.caller, f"Bearer {old}") == "UNAUTHENTICATED"


HASH = "0" * 64


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{HASH} ci", "must be a hash, a name and patterns of models. Received: 2 words"),
        ("rw_sECRET ci *", "must begin with a SHA-256"),
        (f"{HASH} a/b *", "a name must be"),
        (f"{HASH} ci * @root", "a scope must be one of @metrics, @admin. Received: @root"),
        (f"{HASH} ci *\n{HASH} other *", "must stand there once. Received: other again"),
    ],
)
def test_a_line_that_is_none_is_named(token_file, line, message):
    with pytest.raises(ServeError, match=message) as error:
        read_tokens(token_file(line))
    assert "sECRET" not in str(error.value)


def test_a_file_that_others_may_write_is_refused_and_one_they_may_read_is_a_warning(token_file, caplog):
    line = mint("ci", ["*"])[1]

    with pytest.raises(ServeError, match="writable by its owner alone"):
        read_tokens(token_file(line, mode=0o660))
    assert read_tokens(token_file(line, mode=0o644))
    assert "readable by everyone" in caplog.text


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_is_no_text_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "tokens").write_bytes(content)

    with pytest.raises(ServeError, match="must be a readable text file"):
        read_tokens(tmp_path / "tokens")


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_are_tokens_or_one_kind_of_error(tmp_path, content):
    path = tmp_path / "tokens"
    path.write_bytes(content)
    path.chmod(0o600)
    with contextlib.suppress(ServeError):
        assert all(caller.models or caller.scopes for caller in read_tokens(path))
