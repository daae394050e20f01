"""Every error of Google's API as one message: what was done, what was said, what to do about it."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any, Final

from roadworthy.serving.client.errors import error_of
from roadworthy.serving.errors import AskError, DeployError
from roadworthy.serving.redact import redact
from roadworthy.serving.vertex.place import Place

# Codes, a pattern of what was said (empty for whatever else it is), and what to do about it.
Fixes = tuple[tuple[str, str, str], ...]
_FIXES: Final[Fixes] = (
    (
        "RESOURCE_EXHAUSTED",
        "quota",
        "Ask for more of that quota of aiplatform.googleapis.com in {region} (console: IAM & Admin, Quotas), or set "
        "fewer deploy.machine.replicas, another deploy.machine.type or another cloud.region.",
    ),
    (
        "RESOURCE_EXHAUSTED",
        "stock|capacity|available",
        "{region} has no such machine free now: try later, or set another deploy.machine.type or cloud.region.",
    ),
    ("RESOURCE_EXHAUSTED", "", "Wait a little and run it again: it goes on from here."),
    (
        "PERMISSION_DENIED",
        "has not been used|is disabled|SERVICE_DISABLED",
        "Switch the API on: gcloud services enable aiplatform.googleapis.com --project {project}",
    ),
    (
        "PERMISSION_DENIED",
        "actAs|service account",
        "Give the caller roles/iam.serviceAccountUser on {accounts}.",
    ),
    ("PERMISSION_DENIED", "storage|bucket|gs://", "Give the caller roles/storage.objectAdmin on the bucket."),
    ("PERMISSION_DENIED", "", "Give the caller roles/aiplatform.user in project {project}, and check cloud.project."),
    (
        "UNAUTHENTICATED",
        "",
        "Log in: gcloud auth application-default login, or name a key file in GOOGLE_APPLICATION_CREDENTIALS.",
    ),
    (
        "INVALID_ARGUMENT|NOT_FOUND|FAILED_PRECONDITION",
        "machine[ _]type|machine_spec|accelerator",
        "Set deploy.machine to what {region} has: "
        "https://cloud.google.com/vertex-ai/docs/predictions/configure-compute",
    ),
    (
        "INVALID_ARGUMENT|NOT_FOUND|UNIMPLEMENTED",
        r"\b(location|region)\b(?!s/)",
        "Set cloud.region to one that has Vertex AI: https://cloud.google.com/vertex-ai/docs/general/locations",
    ),
    ("INVALID_ARGUMENT", "size", "Send fewer or smaller images in a request."),
    ("INVALID_ARGUMENT", "", "Check the deploy and cloud sections of the config."),
    ("NOT_FOUND", "", "Check cloud.project, cloud.region and the name; `roadworthy status` tells what is there."),
    (
        "FAILED_PRECONDITION",
        "never became ready|health|container|model server",
        "The container's log tells why: https://console.cloud.google.com/logs (resource aiplatform.googleapis.com/"
        "Endpoint). Try the model with `roadworthy serve` first; a LiteRT file needs the roadworthy container.",
    ),
    ("FAILED_PRECONDITION", "", "`roadworthy status` tells how things stand."),
    ("ALREADY_EXISTS", "", "Somebody made it at the same time: run it again, and it goes on from there."),
    ("ABORTED", "", "Somebody changed it at the same time: run it again, and it goes on from there."),
    ("OUT_OF_RANGE", "", "Check the deploy section of the config."),
    ("UNIMPLEMENTED", "", "{region} has no such method; try another cloud.region."),
    (
        "UNAVAILABLE",
        "",
        "{address} can't be reached or is down: check the network and cloud.region, then run it again; it goes on.",
    ),
    (
        "DEADLINE_EXCEEDED",
        "",
        "Run it again: it finds out what came of it and goes on. deploy.call_s and deploy.operation_s allow more time.",
    ),
    ("CANCELLED", "", "Somebody cancelled it: run it again, and it goes on."),
    (
        "INTERNAL|UNKNOWN|DATA_LOSS",
        "",
        "A fault of Vertex AI: run it again, and it goes on; https://status.cloud.google.com",
    ),
)


def fix(code: str, said: str, place: Place, special: Fixes = ()) -> str:
    """What to do about an error; empty where nobody knows.

    Args:
        code: gRPC status code name.
        said: the far side's words.
        place: where.
        special: of what was asked for, where it is no deployment.
    """
    accounts = sorted({account for account in (place.service_account, place.serving_account) if account})
    known = {
        "region": place.region,
        "project": place.project,
        "address": place.api_endpoint,
        "accounts": " and ".join(accounts) or "cloud.service_account",
    }
    fits = [one for one in (*special, *_FIXES) if code in one[0].split("|") and re.search(one[1], said, re.IGNORECASE)]
    by_words = [one for one in fits if one[1]]
    return next((text.format(**known) for _, _, text in (*by_words, *fits)), "")


def refusal(code: str, said: str, *, doing: str, place: Place, special: Fixes = ()) -> DeployError:
    """The error for something that was refused."""
    told = fix(code, said, place, special)
    return DeployError(f"{doing} must be possible. Received: {code}: {said.rstrip('.')}. {told}", code=code)


@contextlib.contextmanager
def telling(doing: str, place: Place, special: Fixes = ()) -> Iterator[None]:
    """Turns the client's errors within into a `DeployError`.

    Args:
        doing: a noun phrase with its object, such as ``Deploying version 3 on endpoint fashion``.
        place: where.
        special: as of `fix`.
    """
    code, said = "", ""
    try:
        yield
        return
    except Exception as error:
        if not _is_googles(error):
            raise
        code, said = code_of(error), _words(error)
        raise refusal(code, said, doing=doing, place=place, special=special) from error


@contextlib.contextmanager
def telling_asker(endpoint: str, place: Place) -> Iterator[None]:
    """Turns the client's errors within into an `AskError`."""
    try:
        yield
    except Exception as error:
        if not _is_googles(error):
            raise
        raise ask_refusal(code_of(error), _words(error), endpoint=endpoint, place=place) from error


def ask_refusal(code: str, said: str, *, endpoint: str, place: Place) -> AskError:
    """The error for a question that was refused: of the same classes as a model server's, with Vertex AI's fixes."""
    kind = type(error_of(code, said, server="", model=""))
    told = f"endpoint {endpoint} in {place.region} can't answer: {code}: {said.rstrip('.')}. {fix(code, said, place)}"
    return kind(told, code=code)


def code_of(error: Exception) -> str:
    """The gRPC status code name of one of Google's errors."""
    from google.api_core import exceptions
    from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError

    if isinstance(error, DefaultCredentialsError | RefreshError):
        return "UNAUTHENTICATED"
    if isinstance(error, TransportError):
        return "UNAVAILABLE"
    if isinstance(error, exceptions.RetryError):
        return code_of(error.cause) if isinstance(error.cause, exceptions.GoogleAPICallError) else "DEADLINE_EXCEEDED"
    status: Any = getattr(error, "grpc_status_code", None)
    if status is not None:
        return str(status.name)
    by_http = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
    by_http |= {409: "ALREADY_EXISTS", 412: "FAILED_PRECONDITION", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
    return by_http.get(getattr(error, "code", 0) or 0, "UNKNOWN")


def _is_googles(error: Exception) -> bool:
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    return isinstance(error, GoogleAPIError | GoogleAuthError)


def _words(error: Exception) -> str:
    said = str(getattr(error, "message", "") or error)
    return redact(" ".join(said.split()))
