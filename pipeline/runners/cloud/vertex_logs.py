"""What a container of Vertex AI wrote, from Cloud Logging's REST API: its client is one library more for one call.

Reference: https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list
"""

import os
from collections.abc import Iterator
from typing import Any, Final

from roadworthy.serving.vertex.place import Place

# gcloud's own variable for another address.
ENDPOINT_VARIABLE: Final = "CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING"
_SCOPE: Final = "https://www.googleapis.com/auth/logging.read"
_PAGE: Final = 1000


def read_log(place: Place, *, job_id: str, timeout_s: float) -> Iterator[str]:
    """The lines of a custom job, the oldest first.

    Raises:
        GoogleAPIError, GoogleAuthError: as Google's client; for `telling`.
    """
    from google.api_core.exceptions import ServiceUnavailable, from_http_response
    from google.auth.transport.requests import AuthorizedSession
    from requests.exceptions import RequestException

    asked: dict[str, Any] = {
        "resourceNames": [f"projects/{place.project}"],
        "filter": f'resource.type="ml_job" AND resource.labels.job_id="{job_id}"',
        "orderBy": "timestamp asc",
        "pageSize": _PAGE,
    }
    host = os.environ.get(ENDPOINT_VARIABLE, "https://logging.googleapis.com").rstrip("/")
    with AuthorizedSession(credentials_of()) as session:
        while True:
            try:
                answer = session.post(f"{host}/v2/entries:list", json=asked, timeout=timeout_s)
            except RequestException as error:
                raise ServiceUnavailable(str(error)) from error
            if not answer.ok:
                raise from_http_response(answer)
            page = answer.json()
            for entry in page.get("entries", ()):
                yield _line(entry)
            if not page.get("nextPageToken"):
                return
            asked["pageToken"] = page["nextPageToken"]


def credentials_of() -> Any:
    """Whoever Google's libraries find on this machine."""
    import google.auth

    return google.auth.default(scopes=[_SCOPE])[0]


def _line(entry: dict[str, Any]) -> str:
    payload = entry.get("jsonPayload", {})
    return str(entry.get("textPayload") or payload.get("message") or payload).rstrip("\n")
