"""Values for what only Google would know, so that a state has something everywhere."""

import uuid
from collections.abc import Callable
from typing import Any, Final

# Where other resources and a run's config depend on the form: attribute by resource, filled from its other attributes.
_FORMS: Final = {
    ("google_project", "number"): "100000000001",
    ("google_service_account", "email"): "{account_id}@{project}.iam.gserviceaccount.com",
    ("google_service_account", "member"): "serviceAccount:{account_id}@{project}.iam.gserviceaccount.com",
    ("google_compute_network", "id"): "projects/{project}/global/networks/{name}",
    ("google_compute_subnetwork", "id"): "projects/{project}/regions/{region}/subnetworks/{name}",
    ("google_kms_key_ring", "id"): "projects/{project}/locations/{location}/keyRings/{name}",
    ("google_kms_crypto_key", "id"): "{key_ring}/cryptoKeys/{name}",
}
_EMPTY: Final = {"number": 0, "bool": False, "list": [], "set": [], "map": {}}


def made_up(resource: str, known: dict[str, Any]) -> Callable[[str, Any], Any]:
    """A function from an attribute's name and type to a value, for one resource with what is known of it."""
    identity = f"{resource.removeprefix('google_').replace('_', '-')}-{uuid.uuid4().hex[:8]}"

    def fill(name: str, kind: Any) -> Any:
        if form := _FORMS.get((resource, name)):
            return form.format_map(known)
        return identity if kind == "string" else _EMPTY.get(kind if isinstance(kind, str) else kind[0])

    return fill
