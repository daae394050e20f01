"""Lets requests in by their tokens, before and after it is known which model they ask."""

from typing import Final

from roadworthy.serving.server.observe import Call, Observer
from roadworthy.serving.server.tokens import ADMIN, METRICS, Caller, Tokens
from roadworthy.serving.status import RequestError

# They name no model that a token could be held to; a trace tells of all of them.
_ADMINS_METHODS: Final = ("HandleReloadConfigRequest", "Profile")
_CHALLENGE: Final = (b"www-authenticate", b'Bearer realm="models"')


class Access(Observer):
    """Refuses whoever has no token for what is asked; probes of health need none."""

    def __init__(self, tokens: Tokens, *, open_paths: frozenset[str], metrics_path: str | None) -> None:
        """Asks for a token everywhere but at some paths.

        Args:
            tokens: who may do what.
            open_paths: those that answer everyone: health, and the page, which tells nothing itself.
            metrics_path: where the metrics are, which need a scope.
        """
        self._tokens = tokens
        self._open = open_paths
        self._scopes = dict.fromkeys(_ADMINS_METHODS, ADMIN) | ({metrics_path: METRICS} if metrics_path else {})

    def arrived(self, call: Call) -> None:
        """Finds out who asks, and refuses nobody's and what needs another scope.

        Raises:
            RequestError: UNAUTHENTICATED or PERMISSION_DENIED.
        """
        if call.method in self._open:
            return
        try:
            caller = self._tokens.caller(call.header(b"authorization"))
        except RequestError:
            if call.transport == "rest":
                call.answer_headers.append(_CHALLENGE)
            raise
        call.notes[Caller] = caller
        if call.method in self._scopes:
            caller.check_scope(self._scopes[call.method])

    def asked(self, call: Call) -> None:
        """Refuses a model that isn't the caller's.

        Raises:
            RequestError: PERMISSION_DENIED.
        """
        caller = call.notes.get(Caller)
        # A request that names no model is refused for that, or is an admin's and past its own check.
        if isinstance(caller, Caller) and call.model:
            caller.check_model(call.model)


def may_ask(call: Call, model: str) -> bool:
    """Whether the token a request came with is good for a model; without tokens everyone may ask everything."""
    caller = call.notes.get(Caller)
    return not isinstance(caller, Caller) or caller.may_ask(model)


def caller_of(call: Call) -> str | None:
    """The name of the token a request came with; None when there is none."""
    caller = call.notes.get(Caller)
    return caller.name if isinstance(caller, Caller) else None
