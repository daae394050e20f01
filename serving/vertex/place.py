"""Which project and region, as whom, and how long to wait."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from roadworthy.serving.client.errors import InvalidOption
from roadworthy.serving.errors import DeployError

# gcloud's own variable for another address, such as one of Private Service Connect.
ENDPOINT_VARIABLE: Final = "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"
_ENDPOINT_NAME: Final = re.compile(r"projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/endpoints/[^/]+")
# A model's id takes no leading digit, an endpoint's no underscore: this is both.
_ID: Final = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Place:
    """Where at Vertex AI.

    Attributes:
        project: Google Cloud project.
        region: such as ``europe-west4``.
        service_account: as whom models are uploaded; None is Vertex AI's choice.
        serving_account: whom containers that serve run as; None is Vertex AI's choice.
        kms_key: customer-managed key; None is Google's.
        labels: of everything that is made.
        call_s: longest time of one call.
        operation_s: longest time of a long operation, such as a deployment.
        poll_s: between two looks at it.
        prediction_address: HOST:PORT of predictions; None is the region's.
    """

    project: str
    region: str
    service_account: str | None = None
    serving_account: str | None = None
    kms_key: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    call_s: float = 60.0
    operation_s: float = 1800.0
    poll_s: float = 5.0
    prediction_address: str | None = None

    @property
    def parent(self) -> str:
        """The location's resource name."""
        return f"projects/{self.project}/locations/{self.region}"

    @property
    def api_endpoint(self) -> str:
        """HOST or HOST:PORT of the API."""
        override = os.environ.get(ENDPOINT_VARIABLE, "")
        address = urlsplit(override).netloc or override.strip("/")
        return address or f"{self.region}-aiplatform.googleapis.com"

    def model(self, model_id: str) -> str:
        """A model's resource name."""
        return f"{self.parent}/models/{model_id}"

    def endpoint(self, endpoint_id: str) -> str:
        """An endpoint's resource name."""
        return f"{self.parent}/endpoints/{endpoint_id}"


def place_of(endpoint: str, *, project: str | None, region: str | None) -> Place:
    """The place of an endpoint.

    Args:
        endpoint: its id or its resource name, which tells project and region.
        project: of an id.
        region: of an id.

    Raises:
        InvalidOption: an id without project and region, or neither an id nor a resource name.
    """
    told = _ENDPOINT_NAME.fullmatch(endpoint)
    if told is not None:
        return Place(told["project"], told["region"])
    if "/" in endpoint or not (project and region):
        raise InvalidOption(
            "--vertex must be projects/P/locations/R/endpoints/ID, or an id with --project and --region. "
            f"Received: {endpoint}.",
            code="INVALID_ARGUMENT",
        )
    return Place(project, region)


def check_id(name: str) -> str:
    """A name that models and endpoints may have as their id.

    Raises:
        DeployError: it can't be one.
    """
    if not _ID.fullmatch(name):
        raise DeployError(
            "An id at Vertex AI must start with a small letter and hold small letters, digits and dashes, at most 63. "
            f"Received: {name}. Set deploy.id."
        )
    return name
