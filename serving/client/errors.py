"""What can go wrong when a model server is asked, as one tree.

AskError                  has a `code`, gRPC's name for it on both transports, and says whether it is `retryable`
├── InvalidOption         a client can't be made like this: an address, a certificate, a token, a time
├── InvalidRequest        the request doesn't fit the model: INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE
├── NotFound              no such model or version: NOT_FOUND
├── AccessDenied          the token or certificate won't do: UNAUTHENTICATED, PERMISSION_DENIED
├── DeadlineExceeded      the time for the call, retries included, is over: DEADLINE_EXCEEDED
├── Overloaded            no room for the request now: RESOURCE_EXHAUSTED; retryable
├── Unavailable           can't be reached, or is not ready: UNAVAILABLE; retryable
├── UnreadableAnswer      not a model server, or other outputs than it announces: INTERNAL
└── ServerFault           any other code
"""

from typing import Final

from roadworthy.serving.errors import AskError

__all__ = [
    "AccessDenied",
    "AskError",
    "DeadlineExceeded",
    "InvalidOption",
    "InvalidRequest",
    "NotFound",
    "Overloaded",
    "ServerFault",
    "Unavailable",
    "UnreadableAnswer",
    "error_of",
    "retryable",
]


class InvalidOption(AskError):
    """The client can't be made as asked: an address, a certificate file, a token, a time that can't be used."""


class InvalidRequest(AskError):
    """The request doesn't fit the model: INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE. Change the request."""


class NotFound(AskError):
    """The server has no such model or version: NOT_FOUND."""


class AccessDenied(AskError):
    """The token or the certificate is missing, wrong or not for this model: UNAUTHENTICATED, PERMISSION_DENIED."""


class DeadlineExceeded(AskError):
    """The time for the whole call, retries included, is over: DEADLINE_EXCEEDED."""


class Overloaded(AskError):
    """The server has no room for the request now: RESOURCE_EXHAUSTED."""

    retryable = True


class Unavailable(AskError):
    """The server can't be reached, is starting, or its queue is full: UNAVAILABLE."""

    retryable = True


class UnreadableAnswer(AskError):
    """What answered is no model server, or answers something other than it announces: INTERNAL."""


class ServerFault(AskError):
    """Any other code: the server failed."""


_CLASSES: Final[dict[str, type[AskError]]] = {
    "INVALID_ARGUMENT": InvalidRequest,
    "FAILED_PRECONDITION": InvalidRequest,
    "OUT_OF_RANGE": InvalidRequest,
    "NOT_FOUND": NotFound,
    "UNAUTHENTICATED": AccessDenied,
    "PERMISSION_DENIED": AccessDenied,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "RESOURCE_EXHAUSTED": Overloaded,
    "UNAVAILABLE": Unavailable,
}
_HINTS: Final = {
    "UNAVAILABLE": " Is a server running at {server}, and is this its port for that transport "
    "(by default 8500 for grpc, 8501 for rest)? Does one side use TLS and the other not? "
    "Start one with: roadworthy serve MODEL_ROOT",
    "NOT_FOUND": " Check the model's name and version; the server at {server} answers for the folders "
    "MODEL_ROOT/{model}/<version>/ that it could load.",
    "DEADLINE_EXCEEDED": " Allow more time, or send fewer images in a request.",
    "RESOURCE_EXHAUSTED": " Send fewer or smaller images in a request, or fewer requests at a time.",
    "UNAUTHENTICATED": " Give the server's token.",
    "PERMISSION_DENIED": " Ask with a token that may use this model.",
}


def error_of(code: str, message: str, *, server: str, model: str, attempts: int = 1) -> AskError:
    """The error for a refused request, with what to do about it where that is known."""
    hint = _HINTS.get(code, "").format(server=server, model=model)
    tried = f" (asked {attempts} times)" if attempts > 1 else ""
    said = f"{server} can't answer for model {model}: {code}: {message.rstrip('.')}{tried}.{hint}"
    return _CLASSES.get(code, ServerFault)(said, code=code)


def retryable(code: str) -> bool:
    """Whether a request refused with this code may be sent again as it is."""
    return _CLASSES.get(code, ServerFault).retryable
