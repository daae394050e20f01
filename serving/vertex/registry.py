"""A model's versions in Vertex AI's registry, with the aliases and labels that say where a rollout stands."""

from collections.abc import Mapping, Sequence
from typing import Any

from roadworthy.serving.errors import DeployError
from roadworthy.serving.rollout.state import CHALLENGER, ROLES, Version
from roadworthy.serving.vertex.clients import Clients
from roadworthy.serving.vertex.errors import telling


class Registry:
    """The versions of one model."""

    def __init__(self, clients: Clients, model_id: str) -> None:
        """Asks nothing yet."""
        self._clients, self._place = clients, clients.place
        self.name = self._place.model(model_id)
        self._id = model_id

    def settle(self) -> None:
        """Waits for uploads that somebody began, and who may be gone since."""
        for operation in self._clients.unfinished(self._clients.models, self.name):
            try:
                self._clients.wait(self._clients.models, operation, doing=f"The upload to {self._id}")
            except DeployError as error:
                # What failed is over; that it isn't there shows at the look that follows.
                if error.code == "DEADLINE_EXCEEDED":
                    raise

    def versions(self) -> tuple[Version, ...]:
        """Every version, ascending; none if there is no model."""
        try:
            with telling(f"Listing the versions of {self._id}", self._place):
                found = list(self._clients.models.list_model_versions({"name": self.name}, **self._clients.reading))
        except DeployError as error:
            if error.code == "NOT_FOUND":
                return ()
            raise
        versions = [
            Version(int(one.version_id), frozenset(one.version_aliases) & ROLES, dict(one.labels)) for one in found
        ]
        return tuple(sorted(versions, key=lambda version: version.number))

    def upload(self, model: Any, *, is_first: bool) -> None:
        """Makes a version, and waits for it.

        Args:
            model: an `aiplatform_v1.Model`: container, artifact, labels.
            is_first: make the parent model with it.
        """
        model.version_aliases = [CHALLENGER]
        request = {"parent": self._place.parent, "model": model}
        request |= {"model_id": self._id} if is_first else {"parent_model": self.name}
        if self._place.service_account:
            request["service_account"] = self._place.service_account
        doing = f"Uploading a version of {self._id}"
        with telling(doing, self._place):
            began = self._clients.models.upload_model(request, **self._clients.changing)
        self._clients.wait(self._clients.models, began.operation.name, doing=doing)

    def alias(self, version: int, *, add: Sequence[str], drop: Sequence[str]) -> None:
        """Gives and takes aliases, in one call."""
        words = [*add, *(f"-{alias}" for alias in drop)]
        with telling(f"Naming version {version} of {self._id} {' '.join(words)}", self._place):
            self._clients.models.merge_version_aliases(
                {"name": f"{self.name}@{version}", "version_aliases": words}, **self._clients.changing
            )

    def label(self, version: int, key: str, value: str | None) -> None:
        """Sets a label of a version, or takes it away."""
        name = f"{self.name}@{version}"
        with telling(f"Labelling version {version} of {self._id}", self._place):
            labels = dict(self._clients.models.get_model({"name": name}, **self._clients.reading).labels)
            labels.pop(key, None)
            if value is not None:
                labels[key] = value
            self._clients.models.update_model(
                {"model": {"name": name, "labels": labels}, "update_mask": {"paths": ["labels"]}},
                **self._clients.changing,
            )


def label_values(given: Mapping[str, str | None]) -> dict[str, str]:
    """Labels as Google takes them: small letters, digits, dashes and underscores, at most 63; None is left out."""
    allowed = "abcdefghijklmnopqrstuvwxyz0123456789_-"
    return {
        key: "".join(letter if letter in allowed else "-" for letter in value.lower())[:63]
        for key, value in given.items()
        if value is not None
    }
