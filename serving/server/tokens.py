"""Bearer tokens: who may ask which models, from a file that holds only hashes and is followed when it changes."""

import hashlib
import hmac
import logging
import re
import secrets
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.watched import Watched
from roadworthy.serving.status import RequestError

_LOG: Final = logging.getLogger(__name__)
# Scanners of secrets know a token by such a beginning.
PREFIX: Final = "rw_"
_SECRET_BYTES: Final = 32
_MAX_TOKEN_CHARS: Final = 512
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
# Words beside the models' patterns; no model has a name that begins so.
METRICS: Final = "@metrics"
ADMIN: Final = "@admin"
_SCOPES: Final = (METRICS, ADMIN)
_PARTS: Final = 3


@dataclass(frozen=True)
class Caller:
    """Whoever showed a token.

    Attributes:
        name: of the token; fit for logs.
        digest: SHA-256 of the token.
        models: patterns of models' names, as of a shell; those it may ask.
        scopes: ``@metrics``, ``@admin`` or both; an admin may reload the models and see the metrics.
    """

    name: str
    digest: bytes = field(repr=False)
    models: tuple[str, ...]
    scopes: frozenset[str]

    def may_ask(self, model: str) -> bool:
        """Whether a model is within the token's patterns."""
        return any(fnmatchcase(model, pattern) for pattern in self.models)

    def check_model(self, model: str) -> None:
        """Refuses a model outside the token's patterns, in the same words whether there is such a model or not.

        Raises:
            RequestError: PERMISSION_DENIED.
        """
        if not self.may_ask(model):
            raise RequestError(f"Token {self.name} may not use model {model}.", code="PERMISSION_DENIED")

    def check_scope(self, scope: str) -> None:
        """Refuses what the token has no scope for.

        Raises:
            RequestError: PERMISSION_DENIED.
        """
        if not self.scopes & {scope, ADMIN}:
            raise RequestError(f"Token {self.name} must have the scope {scope} for this.", code="PERMISSION_DENIED")


class Tokens:
    """The tokens of a file; a change of the file is followed, a broken one leaves those there were."""

    def __init__(self, path: Path, *, look_every_s: float = 1.0) -> None:
        """Reads the file.

        Args:
            path: lines of ``<sha256> <name> <pattern or scope>…``; empty lines and those that begin with # are none.
            look_every_s: seconds between two looks for a change.

        Raises:
            ServeError: as `read_tokens`.
        """
        self._callers = Watched(
            [path], lambda: {caller.digest: caller for caller in read_tokens(path)}, look_every_s=look_every_s
        )

    def caller(self, authorization: str | None) -> Caller:
        """Whose token an `Authorization` header holds.

        Raises:
            RequestError: UNAUTHENTICATED, there is none, or nobody's; never says which of them was near.
        """
        scheme, _, token = (authorization or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise RequestError(
                'A request must have the header "authorization: Bearer TOKEN". Received: '
                f"{'another scheme' if scheme else 'none'}.",
                code="UNAUTHENTICATED",
            )
        found = self._holder(token.strip())
        if found is None:
            raise RequestError("The token must be one of this server's. Received: another.", code="UNAUTHENTICATED")
        return found

    def _holder(self, token: str) -> Caller | None:
        given = digest_of(token[:_MAX_TOKEN_CHARS])
        # Nobody can choose what a token's digest begins with, so how long the search takes tells nothing of the others;
        # the comparison that lets somebody in takes the same time whatever it finds.
        found = self._callers().get(given)
        return found if hmac.compare_digest(b"" if found is None else found.digest, given) else None


def read_tokens(path: Path) -> tuple[Caller, ...]:
    """The callers of a token file.

    Raises:
        ServeError: the file can't be read, others may write it, or a line is none; the message names the line, and
            never holds what stands in it.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise ServeError(f"--token_file {path} must be a readable text file. Received: {reason}.") from error
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ServeError(
            f"{path} must be writable by its owner alone, since it says who may do what. "
            f"Received: mode {stat.S_IMODE(mode):o}. chmod go-w {path}"
        )
    if mode & stat.S_IROTH:
        _LOG.warning("%s is readable by everyone; it holds only hashes, but chmod o-r %s all the same", path, path)
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), start=1)]
    callers = tuple(
        _caller(words, place=f"{path}, line {number}")
        for number, words in lines
        if words and not words[0].startswith("#")
    )
    for at, caller in enumerate(callers):
        if any(caller.name == earlier.name or caller.digest == earlier.digest for earlier in callers[:at]):
            raise ServeError(f"{path}: every name and hash must stand there once. Received: {caller.name} again.")
    return callers


def _caller(words: Sequence[str], *, place: str) -> Caller:
    if len(words) < _PARTS:
        raise ServeError(f"{place}: must be a hash, a name and patterns of models. Received: {len(words)} words.")
    digest, name, *allowed = words
    if not _HASH.fullmatch(digest):
        # What stands there may be a token itself.
        raise ServeError(
            f"{place}: must begin with a SHA-256 in 64 small hexadecimal digits. Received: something else, of "
            f"{len(digest)} characters. roadworthy token makes such a line."
        )
    if not _NAME.fullmatch(name):
        raise ServeError(f"{place}: a name must be up to 64 letters, digits, dots, dashes. Received: something else.")
    if unknown := [word for word in allowed if word.startswith("@") and word not in _SCOPES]:
        raise ServeError(f"{place}: a scope must be one of {', '.join(_SCOPES)}. Received: {unknown[0]}.")
    scopes = frozenset(word for word in allowed if word in _SCOPES)
    return Caller(name, bytes.fromhex(digest), tuple(word for word in allowed if word not in scopes), scopes)


def digest_of(token: str) -> bytes:
    """SHA-256 of a token; a plain hash will do, since a token is 256 random bits and not a word to be guessed."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def mint(name: str, allowed: Sequence[str]) -> tuple[str, str]:
    """A new token, and the line of a token file that lets it in.

    Args:
        name: of the token, for logs and messages.
        allowed: patterns of models' names, and scopes.

    Raises:
        ServeError: a name or a scope that can't stand in a token file.
    """
    token = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    words = [digest_of(token).hex(), name, *allowed]
    _caller(words, place="roadworthy token")
    return token, " ".join(words)
