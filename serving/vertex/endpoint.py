"""One endpoint: what is deployed on it, and who gets how much of its traffic."""

from collections.abc import Mapping
from typing import Any

from roadworthy.serving.errors import DeployError
from roadworthy.serving.rollout.state import Deployed
from roadworthy.serving.vertex.clients import Clients
from roadworthy.serving.vertex.errors import telling
from roadworthy.serving.vertex.settings import Private


class Endpoint:
    """The endpoint that a model's versions share."""

    def __init__(self, clients: Clients, endpoint_id: str) -> None:
        """Asks nothing yet."""
        self._clients, self._place = clients, clients.place
        self.name = self._place.endpoint(endpoint_id)
        self._id = endpoint_id
        # Of the last look: a change that somebody else made since is not overwritten.
        self._etag = ""
        self._seen: tuple[Deployed, ...] = ()

    def settle(self) -> None:
        """Waits for deployments that somebody began, and who may be gone since."""
        for operation in self._clients.unfinished(self._clients.endpoints, self.name):
            try:
                self._clients.wait(
                    self._clients.endpoints, operation, doing=f"What is under way at endpoint {self._id}"
                )
            except DeployError as error:
                if error.code == "DEADLINE_EXCEEDED":
                    raise

    def deployed(self, model_id: str) -> tuple[Deployed, ...] | None:
        """What runs, by version; None if there is no endpoint.

        Raises:
            DeployError: it runs another model too, whose traffic is not ours to change.
        """
        try:
            with telling(f"Looking at endpoint {self._id}", self._place):
                found = self._clients.endpoints.get_endpoint({"name": self.name}, **self._clients.reading)
        except DeployError as error:
            if error.code == "NOT_FOUND":
                return None
            raise
        # The project may come back as its number, so the ids alone are compared.
        others = {one.model.rpartition("/")[2].split("@")[0] for one in found.deployed_models} - {model_id}
        if others:
            raise DeployError(
                f"Endpoint {self._id} must be of model {model_id} alone. Received: also {', '.join(sorted(others))}. "
                "Set deploy.id to an id of its own."
            )
        self._etag, split = found.etag, dict(found.traffic_split)
        self._seen = tuple(
            Deployed(one.id, int(one.model_version_id), split.get(one.id, 0)) for one in found.deployed_models
        )
        return self._seen

    def create(self, *, display_name: str, labels: Mapping[str, str], private: Private | None) -> None:
        """Makes the endpoint, and waits for it."""
        endpoint: dict[str, Any] = {"display_name": display_name, "labels": dict(labels)}
        if self._place.kms_key:
            endpoint["encryption_spec"] = {"kms_key_name": self._place.kms_key}
        if private is not None and private.network:
            endpoint["network"] = private.network
        elif private is not None:
            endpoint["private_service_connect_config"] = {
                "enable_private_service_connect": True,
                "project_allowlist": list(private.allowed_projects),
            }
        request = {"parent": self._place.parent, "endpoint": endpoint, "endpoint_id": self._id}
        self._long("create_endpoint", request, f"Making endpoint {self._id}")

    def deploy(self, model: str, *, display_name: str, resources: Any) -> None:
        """Has a version run without traffic, and waits until its container is healthy.

        Args:
            model: resource name with the version.
            display_name: for people.
            resources: `DedicatedResources`.
        """
        deployed = {"model": model, "display_name": display_name, "dedicated_resources": resources}
        if self._place.serving_account:
            deployed["service_account"] = self._place.serving_account
        # Without a split in the request, the endpoint's stays as it is.
        request = {"endpoint": self.name, "deployed_model": deployed}
        self._long("deploy_model", request, f"Deploying {display_name} on endpoint {self._id}")

    def share(self, percents: Mapping[int, int]) -> None:
        """Splits the traffic between versions that run, in one call."""
        ids = {one.version: one.id for one in reversed(self._seen)}
        split = {ids[version]: percent for version, percent in percents.items() if percent}
        endpoint = {"name": self.name, "traffic_split": split, "etag": self._etag}
        with telling(f"Splitting the traffic of endpoint {self._id}", self._place):
            self._clients.endpoints.update_endpoint(
                {"endpoint": endpoint, "update_mask": {"paths": ["traffic_split"]}}, **self._clients.changing
            )

    def undeploy(self, deployed_id: str) -> None:
        """Stops what runs under an id, and waits until it has."""
        request = {"endpoint": self.name, "deployed_model_id": deployed_id}
        self._long("undeploy_model", request, f"Undeploying {deployed_id} from endpoint {self._id}")

    def _long(self, method: str, request: dict[str, Any], doing: str) -> None:
        client = self._clients.endpoints
        with telling(doing, self._place):
            began = getattr(client, method)(request, **self._clients.changing)
        self._clients.wait(client, began.operation.name, doing=doing)
