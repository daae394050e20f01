"""Every error of the KFP API as one message: what was done, what was said, what to do about it."""

import contextlib
import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from roadworthy.serving.errors import DeployError
from roadworthy.serving.redact import redact

# gRPC's codes, which KFP's gateway writes into the body, and what to do about them.
_FIXES: Final = {
    "INVALID_ARGUMENT": "Check the cloud section of the config, and --set and the cron, if they were given.",
    "NOT_FOUND": "Check the id, cloud.kubeflow.namespace and .host; `roadworthy runs --on kubeflow` lists runs.",
    "ALREADY_EXISTS": "Somebody made it at the same time: run it again.",
    "PERMISSION_DENIED": "Ask for the role kubeflow-edit in {namespace}, or set another cloud.kubeflow.namespace.",
    "UNAUTHENTICATED": "Give a valid token by cloud.kubeflow.token_file or ROADWORTHY_KUBEFLOW_TOKEN.",
    "RESOURCE_EXHAUSTED": "The server is busy or the cluster is full: wait a little and run it again.",
    "FAILED_PRECONDITION": "`roadworthy runs --on kubeflow` tells how things stand.",
    "ABORTED": "Somebody changed it at the same time: run it again.",
    "UNIMPLEMENTED": "The server has no such method: it must be Kubeflow Pipelines 2.0 or newer.",
    "UNAVAILABLE": "{host} can't be reached or is down: check cloud.kubeflow.host and the network, then run it again.",
    "DEADLINE_EXCEEDED": "Run it again later.",
    "INTERNAL": "A fault of the server: its log tells why (deployment ml-pipeline).",
}
_BY_HTTP: Final = {
    HTTPStatus.BAD_REQUEST: "INVALID_ARGUMENT",
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.FORBIDDEN: "PERMISSION_DENIED",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.CONFLICT: "ALREADY_EXISTS",
    HTTPStatus.PRECONDITION_FAILED: "FAILED_PRECONDITION",
    HTTPStatus.TOO_MANY_REQUESTS: "RESOURCE_EXHAUSTED",
    HTTPStatus.NOT_IMPLEMENTED: "UNIMPLEMENTED",
    HTTPStatus.BAD_GATEWAY: "UNAVAILABLE",
    HTTPStatus.SERVICE_UNAVAILABLE: "UNAVAILABLE",
    HTTPStatus.GATEWAY_TIMEOUT: "DEADLINE_EXCEEDED",
}
# By number, as google.rpc.Code has them; the gateway writes the number.
_BY_NUMBER: Final = {
    3: "INVALID_ARGUMENT",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    6: "ALREADY_EXISTS",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    10: "ABORTED",
    12: "UNIMPLEMENTED",
    13: "INTERNAL",
    14: "UNAVAILABLE",
    16: "UNAUTHENTICATED",
}


@contextlib.contextmanager
def telling(doing: str, *, host: str, namespace: str, token: str | None = None) -> Iterator[None]:
    """Turns the client's errors within into a `DeployError`.

    Args:
        doing: a noun phrase with its object, such as ``Submitting pets-1``.
        host: of the API server.
        namespace: of the runs.
        token: what no message may hold, not even a traceback's, though a server may have sent it back.
    """
    from kfp_server_api import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        _hide(token, error)
        code, said = _code(error), _said(error)
        fix = _FIXES.get(code, _FIXES["INTERNAL"]).format(host=host, namespace=namespace)
        raise DeployError(f"{doing} must be possible. Received: {code}: {said}. {fix}", code=code) from error
    except HTTPError as error:
        said, fix = _plain(str(error)), _FIXES["UNAVAILABLE"].format(host=host)
        raise DeployError(
            f"{doing} must be possible. Received: UNAVAILABLE: {said}. {fix}", code="UNAVAILABLE"
        ) from error


def _hide(token: str | None, error: Any) -> None:
    if not token:
        return
    if error.body:
        body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else str(error.body)
        error.body = body.replace(token, "…")
    error.headers = {name: str(value).replace(token, "…") for name, value in dict(error.headers or {}).items()}


def _code(error: Any) -> str:
    number = _body(error).get("code")
    by_number = _BY_NUMBER.get(number) if isinstance(number, int) else None
    return by_number or _BY_HTTP.get(error.status, "INTERNAL")


def _said(error: Any) -> str:
    body = _body(error)
    return _plain(str(body.get("message") or body.get("error") or error.body or error.reason or error.status))


def _body(error: Any) -> dict[str, Any]:
    try:
        found = json.loads(error.body or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _plain(text: str, *, limit: int = 400) -> str:
    """One line without a token that a server may have sent back."""
    line = redact(" ".join(text.split())).rstrip(".")
    return line if len(line) <= limit else line[:limit] + "…"
