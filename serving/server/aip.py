"""What Vertex AI tells a serving container by its environment: the port, the two routes, and where the model lies.

Reference: https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements
"""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from roadworthy.serving.errors import ServeError
from roadworthy.serving.repository import version_dirs

_HTTP_PORT: Final = "AIP_HTTP_PORT"
_HEALTH_ROUTE: Final = "AIP_HEALTH_ROUTE"
_PREDICT_ROUTE: Final = "AIP_PREDICT_ROUTE"
_STORAGE_URI: Final = "AIP_STORAGE_URI"
_GCS: Final = "gs://"
_MAX_PORT: Final = 65535


@dataclass(frozen=True)
class Aip:
    """The variables.

    Attributes:
        http_port: where Vertex AI asks.
        health_route: path that has to answer 200 once the model is loaded; empty if none was told.
        predict_route: path of predictions; empty if none was told.
        storage_uri: gs:// URI or folder of the model; empty if none was told.
    """

    http_port: int
    health_route: str = ""
    predict_route: str = ""
    storage_uri: str = ""

    def aliases(self, model: str) -> dict[str, str]:
        """The path of our own that answers under the predict route."""
        return {self.predict_route: f"/v1/models/{model}:predict"} if self.predict_route else {}


def read_aip(environment: Mapping[str, str]) -> Aip | None:
    """The variables, or None outside Vertex AI.

    Raises:
        ServeError: one of them can't be what it is.
    """
    port = environment.get(_HTTP_PORT)
    if port is None:
        return None
    if not (port.isascii() and port.isdecimal() and 0 < int(port) <= _MAX_PORT):
        raise ServeError(f"{_HTTP_PORT} must be a port. Received: {port!r}.")
    routes = {name: environment.get(name, "") for name in (_HEALTH_ROUTE, _PREDICT_ROUTE)}
    for name, route in routes.items():
        if route and not route.startswith("/"):
            raise ServeError(f"{name} must be a path that starts with /. Received: {route!r}.")
    return Aip(int(port), routes[_HEALTH_ROUTE], routes[_PREDICT_ROUTE], environment.get(_STORAGE_URI, ""))


def fetch_model(storage_uri: str) -> Path:
    """Copies a model to this machine's disk, as a base path with version folders.

    Args:
        storage_uri: gs:// URI or folder of a version, or of version folders.

    Raises:
        ServeError: nothing is there, or it can't be read.
    """
    base = Path(tempfile.mkdtemp(prefix="roadworthy-model-"))
    fetched = base / "1"
    try:
        if storage_uri.startswith(_GCS):
            _download(storage_uri, fetched)
        else:
            shutil.copytree(storage_uri, fetched)
    except OSError as error:
        raise ServeError(f"{_STORAGE_URI} must be a readable model. Received: {storage_uri}: {error}") from error
    return fetched if version_dirs(fetched) else base


def _download(uri: str, folder: Path) -> None:
    """Every object below a gs:// URI to a folder.

    Raises:
        ServeError: there is none, the client is not installed, or the bucket can't be read.
    """
    try:
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import storage
    except ImportError as error:
        raise ServeError(
            f"A model at {uri} needs google-cloud-storage. Received: {error}. Install roadworthy[cloud]."
        ) from error
    bucket, _, prefix = uri.removeprefix(_GCS).strip("/").partition("/")
    try:
        client = storage.Client()
        blobs = [blob for blob in client.list_blobs(bucket, prefix=f"{prefix}/") if not blob.name.endswith("/")]
        for blob in blobs:
            target = folder / blob.name.removeprefix(f"{prefix}/")
            if not target.resolve().is_relative_to(folder.resolve()):
                raise ServeError(f"{uri} must hold no object above itself. Received: {blob.name}.")
            target.parent.mkdir(parents=True, exist_ok=True)
            blob.download_to_filename(target)
    except (GoogleAPIError, GoogleAuthError) as error:
        raise ServeError(
            f"{_STORAGE_URI} must be a model that the container's service account may read. Received: {uri}: {error}"
        ) from error
    if not blobs:
        raise ServeError(f"{_STORAGE_URI} must hold a model. Received: {uri}, where no object is.")
