"""Endpoints: what is deployed on them, and how their traffic is split.

Reference: https://cloud.google.com/vertex-ai/docs/reference/rpc/google.cloud.aiplatform.v1#endpointservice
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from google.cloud import aiplatform_v1 as v1
from google.protobuf import empty_pb2

from contracts.vertex.containers import Containers
from contracts.vertex.models import Models
from contracts.vertex.operations import Operations
from contracts.vertex.rules import Refused, check_labels, chosen, location_of, not_found, now, page

_ENDPOINT_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?|[1-9][0-9]{0,8}")
_MACHINE = re.compile(r"(n1|n2|n2d|c2|c2d|c3|e2|g2|a2|a3|ct5lp)-[a-z0-9]+(-[a-z0-9]+)*")
# Of accelerators that go on a machine one adds them to; a2, a3 and g2 come with theirs.
_WITH_ACCELERATORS = re.compile(r"(n1|g2|a2|a3)-")


class Endpoints:
    """EndpointService."""

    def __init__(self, operations: Operations, models: Models, containers: Containers) -> None:
        self._operations, self._models, self._containers = operations, models, containers
        self._endpoints: dict[str, v1.Endpoint] = {}
        self._ids = itertools.count(7001)
        self._etags = itertools.count(1)

    def CreateEndpoint(self, request: v1.CreateEndpointRequest) -> Any:
        if not request.endpoint.display_name:
            raise Refused("INVALID_ARGUMENT", "endpoint.display_name is required.")
        if request.endpoint_id and not _ENDPOINT_ID.fullmatch(request.endpoint_id):
            raise Refused("INVALID_ARGUMENT", f"Invalid endpoint_id: {request.endpoint_id}")
        check_labels(dict(request.endpoint.labels))
        name = f"{request.parent}/endpoints/{request.endpoint_id or next(self._ids)}"
        if name in self._endpoints:
            raise Refused("ALREADY_EXISTS", f"Endpoint {name} already exists.")

        def make() -> v1.Endpoint:
            endpoint = v1.Endpoint(request.endpoint)
            endpoint.name, endpoint.create_time = name, now()
            self._endpoints[name] = endpoint
            return self._changed(endpoint)

        return self._operations.begin("CreateEndpoint", name, make)

    def GetEndpoint(self, request: v1.GetEndpointRequest) -> v1.Endpoint:
        return self.endpoint(request.name)

    def ListEndpoints(self, request: v1.ListEndpointsRequest) -> v1.ListEndpointsResponse:
        found = [found for name, found in self._endpoints.items() if location_of(name) == request.parent]
        return page(chosen(found, request), request, v1.ListEndpointsResponse, "endpoints")

    def UpdateEndpoint(self, request: v1.UpdateEndpointRequest) -> v1.Endpoint:
        endpoint = self.endpoint(request.endpoint.name)
        if request.endpoint.etag and request.endpoint.etag != endpoint.etag:
            raise Refused("ABORTED", f"The etag is of an older state of {endpoint.name}.")
        for path in request.update_mask.paths:
            match path:
                case "traffic_split":
                    endpoint.traffic_split = self._checked(endpoint, dict(request.endpoint.traffic_split))
                case "labels":
                    check_labels(dict(request.endpoint.labels))
                    endpoint.labels = dict(request.endpoint.labels)
                case "display_name" | "description":
                    setattr(endpoint, path, getattr(request.endpoint, path))
                case _:
                    raise Refused("INVALID_ARGUMENT", f"update_mask: {path} can't be updated.")
        return self._changed(endpoint)

    def DeployModel(self, request: v1.DeployModelRequest) -> Any:
        endpoint, deployed = self.endpoint(request.endpoint), v1.DeployedModel(request.deployed_model)
        model = self._models.version(deployed.model)
        _check_resources(deployed.dedicated_resources)
        if endpoint.network and endpoint.deployed_models:
            raise Refused("FAILED_PRECONDITION", "A private endpoint of a network holds one deployed model.")
        deployed.id = deployed.id or str(next(self._ids))
        deployed.model, deployed.model_version_id = model.name, model.version_id
        deployed.display_name = deployed.display_name or model.display_name
        ids = {one.id for one in endpoint.deployed_models} | {deployed.id}
        split = {deployed.id if key == "0" else key: share for key, share in dict(request.traffic_split).items()}
        _check_split(split, ids)

        def deploy() -> v1.DeployModelResponse:
            self._containers.start(deployed.id, model)
            deployed.create_time = now()
            endpoint.deployed_models = [*endpoint.deployed_models, deployed]
            if split:
                endpoint.traffic_split = {key: share for key, share in split.items() if share}
            self._changed(endpoint)
            return v1.DeployModelResponse(deployed_model=deployed)

        return self._operations.begin("DeployModel", request.endpoint, deploy)

    def UndeployModel(self, request: v1.UndeployModelRequest) -> Any:
        endpoint, gone = self.endpoint(request.endpoint), request.deployed_model_id
        left = [one for one in endpoint.deployed_models if one.id != gone]
        if len(left) == len(endpoint.deployed_models):
            raise not_found("DeployedModel", gone)
        split = dict(request.traffic_split)
        _check_split(split, {one.id for one in left})
        if left and dict(endpoint.traffic_split).get(gone) and not split:
            raise Refused("FAILED_PRECONDITION", f"DeployedModel {gone} still has traffic.")

        def undeploy() -> v1.UndeployModelResponse:
            still = [one for one in endpoint.deployed_models if one.id != gone]
            endpoint.deployed_models = still
            kept = split or {key: share for key, share in dict(endpoint.traffic_split).items() if key != gone}
            endpoint.traffic_split = kept if still else {}
            self._containers.stop(gone)
            self._changed(endpoint)
            return v1.UndeployModelResponse()

        return self._operations.begin("UndeployModel", request.endpoint, undeploy)

    def DeleteEndpoint(self, request: v1.DeleteEndpointRequest) -> Any:
        if self.endpoint(request.name).deployed_models:
            raise Refused("FAILED_PRECONDITION", f"{request.name} has deployed models; undeploy them first.")

        def drop() -> empty_pb2.Empty:
            del self._endpoints[request.name]
            return empty_pb2.Empty()

        return self._operations.begin("DeleteEndpoint", request.name, drop)

    def endpoint(self, name: str) -> v1.Endpoint:
        try:
            return self._endpoints[name]
        except KeyError:
            raise not_found("Endpoint", name) from None

    def deployed(self) -> Iterator[v1.DeployedModel]:
        """Everything that is deployed anywhere."""
        for endpoint in self._endpoints.values():
            yield from endpoint.deployed_models

    @staticmethod
    def _checked(endpoint: v1.Endpoint, split: Mapping[str, int]) -> dict[str, int]:
        _check_split(split, {one.id for one in endpoint.deployed_models})
        return {key: share for key, share in split.items() if share}

    def _changed(self, endpoint: v1.Endpoint) -> v1.Endpoint:
        endpoint.etag, endpoint.update_time = f"etag-{next(self._etags)}", now()
        return endpoint


def _check_split(split: Mapping[str, int], ids: set[str]) -> None:
    if split and sum(split.values()) != 100:
        raise Refused("INVALID_ARGUMENT", f"Traffic split percentages must add up to 100, not {sum(split.values())}.")
    if unknown := set(split) - ids:
        raise Refused("INVALID_ARGUMENT", f"traffic_split names deployed models that are not there: {sorted(unknown)}.")
    if any(share < 0 for share in split.values()):
        raise Refused("INVALID_ARGUMENT", "A traffic percentage must not be negative.")


def _check_resources(resources: v1.DedicatedResources) -> None:
    machine = resources.machine_spec
    if not machine.machine_type:
        raise Refused("INVALID_ARGUMENT", "dedicated_resources.machine_spec.machine_type is required.")
    if not _MACHINE.fullmatch(machine.machine_type):
        raise Refused("INVALID_ARGUMENT", f"Machine type {machine.machine_type} is not supported.")
    if bool(machine.accelerator_type) != bool(machine.accelerator_count):
        raise Refused("INVALID_ARGUMENT", "accelerator_type and accelerator_count go together.")
    if machine.accelerator_count and not _WITH_ACCELERATORS.match(machine.machine_type):
        raise Refused("INVALID_ARGUMENT", f"Machine type {machine.machine_type} takes no accelerators.")
    if resources.min_replica_count < 1:
        raise Refused("INVALID_ARGUMENT", "min_replica_count must be at least 1.")
    if resources.max_replica_count and resources.max_replica_count < resources.min_replica_count:
        raise Refused("INVALID_ARGUMENT", "max_replica_count must be at least min_replica_count.")
