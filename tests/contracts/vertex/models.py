"""The model registry: models with versions, aliases, and labels of both.

Reference: https://cloud.google.com/vertex-ai/docs/reference/rpc/google.cloud.aiplatform.v1#modelservice
"""

import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from google.cloud import aiplatform_v1 as v1
from google.protobuf import empty_pb2

from contracts.vertex.operations import Operations
from contracts.vertex.rules import Refused, check_labels, chosen, location_of, not_found, now, page

_ALIAS = re.compile(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9-]")
_MODEL_ID = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
_DEFAULT = "default"


@dataclass
class _Model:
    labels: dict[str, str] = field(default_factory=dict)
    versions: dict[str, v1.Model] = field(default_factory=dict)
    ever: int = 0


class Models:
    """ModelService."""

    def __init__(self, operations: Operations, deployed: Callable[[], Iterable[v1.DeployedModel]]) -> None:
        self._operations = operations
        self._deployed = deployed
        self._models: dict[str, _Model] = {}
        self._ids = itertools.count(5_000_000_001)

    def UploadModel(self, request: v1.UploadModelRequest) -> Any:
        model = request.model
        if not model.display_name:
            raise Refused("INVALID_ARGUMENT", "model.display_name is required.")
        if not model.container_spec.image_uri:
            raise Refused("INVALID_ARGUMENT", "model.container_spec.image_uri is required.")
        check_labels(dict(model.labels))
        self._check_aliases(model.version_aliases)
        name = request.parent_model
        if name:
            self._model(name)
        else:
            name = f"{request.parent}/models/{request.model_id or next(self._ids)}"
            if request.model_id and not _MODEL_ID.fullmatch(request.model_id):
                raise Refused("INVALID_ARGUMENT", f"Invalid model_id: {request.model_id}")
            if name in self._models:
                raise Refused("ALREADY_EXISTS", f"Model {name} already exists.")
        return self._operations.begin("UploadModel", name, lambda: self._add(name, model))

    def _add(self, name: str, given: v1.Model) -> v1.UploadModelResponse:
        model = self._models.setdefault(name, _Model())
        model.ever += 1
        version = v1.Model(given)
        version.name, version.version_id = name, str(model.ever)
        aliases = list(given.version_aliases) + ([_DEFAULT] if model.ever == 1 else [])
        version.version_aliases = []
        version.supported_deployment_resources_types = [v1.Model.DeploymentResourcesType.DEDICATED_RESOURCES]
        for stamp in ("create_time", "update_time", "version_create_time", "version_update_time"):
            setattr(version, stamp, now())
        model.versions[version.version_id] = version
        self._merge(model, version, dict.fromkeys(aliases))
        return v1.UploadModelResponse(model=name, model_version_id=version.version_id)

    def GetModel(self, request: v1.GetModelRequest) -> v1.Model:
        return self.shown(request.name)

    def ListModels(self, request: v1.ListModelsRequest) -> v1.ListModelsResponse:
        found = [self.shown(name) for name in self._models if location_of(name) == request.parent]
        return page(chosen(found, request), request, v1.ListModelsResponse, "models")

    def ListModelVersions(self, request: v1.ListModelVersionsRequest) -> v1.ListModelVersionsResponse:
        model = self._model(request.name)
        found = [self.shown(f"{request.name.split('@')[0]}@{version}") for version in model.versions]
        return page(chosen(found, request), request, v1.ListModelVersionsResponse, "models")

    def UpdateModel(self, request: v1.UpdateModelRequest) -> v1.Model:
        name, _, version = request.model.name.partition("@")
        for path in request.update_mask.paths:
            if path != "labels" and not (path == "version_description" and version):
                raise Refused("INVALID_ARGUMENT", f"update_mask: {path} can't be updated here.")
        check_labels(dict(request.model.labels))
        if version in ("", "-"):
            self._model(name).labels = dict(request.model.labels)
            return self.shown(name)
        found = self.version(request.model.name)
        if "labels" in request.update_mask.paths:
            found.labels = dict(request.model.labels)
        if "version_description" in request.update_mask.paths:
            found.version_description = request.model.version_description
        found.version_update_time = now()
        return self.shown(request.model.name)

    def MergeVersionAliases(self, request: v1.MergeVersionAliasesRequest) -> v1.Model:
        version = self.version(request.name)
        model = self._model(request.name)
        added = [alias for alias in request.version_aliases if not alias.startswith("-")]
        dropped = [alias[1:] for alias in request.version_aliases if alias.startswith("-")]
        self._check_aliases(added)
        if _DEFAULT in dropped:
            raise Refused("INVALID_ARGUMENT", "There must be exactly one default version alias for a model.")
        version.version_aliases = [alias for alias in version.version_aliases if alias not in dropped]
        self._merge(model, version, dict.fromkeys(added))
        version.version_update_time = now()
        return self.shown(request.name)

    def DeleteModelVersion(self, request: v1.DeleteModelVersionRequest) -> Any:
        version = self.version(request.name)
        model = self._model(request.name)
        name = request.name.split("@")[0]
        if len(model.versions) == 1:
            raise Refused("FAILED_PRECONDITION", "The only version of a model can't be deleted; use DeleteModel.")
        if _DEFAULT in version.version_aliases:
            raise Refused("FAILED_PRECONDITION", "The default version can't be deleted.")
        if any(self._is_of(deployed, name, version.version_id) for deployed in self._deployed()):
            raise Refused("FAILED_PRECONDITION", f"{request.name} has deployed models.")

        def drop() -> empty_pb2.Empty:
            del model.versions[version.version_id]
            return empty_pb2.Empty()

        return self._operations.begin("DeleteModelVersion", name, drop)

    def DeleteModel(self, request: v1.DeleteModelRequest) -> Any:
        self._model(request.name)
        if any(deployed.model.split("@")[0] == request.name for deployed in self._deployed()):
            raise Refused("FAILED_PRECONDITION", f"{request.name} has deployed models.")

        def drop() -> empty_pb2.Empty:
            del self._models[request.name]
            return empty_pb2.Empty()

        return self._operations.begin("DeleteModel", request.name, drop)

    def version(self, name: str) -> v1.Model:
        """The version that ``…/models/ID[@version or alias]`` names; without either the default one."""
        base, _, wanted = name.partition("@")
        for number, version in self._model(base).versions.items():
            if wanted == number or (wanted or _DEFAULT) in version.version_aliases:
                return version
        raise not_found("Model version", name)

    def shown(self, name: str) -> v1.Model:
        """The same as it is answered: with the labels of the model and of the version."""
        version = self.version(name)
        shown = v1.Model(version)
        shown.labels = {**self._model(name).labels, **version.labels}
        return shown

    def _model(self, name: str) -> _Model:
        try:
            return self._models[name.split("@", maxsplit=1)[0]]
        except KeyError:
            raise not_found("Model", name) from None

    @staticmethod
    def _merge(model: _Model, version: v1.Model, aliases: Iterable[str]) -> None:
        """An alias is of one version: given to another, it leaves the one it was of."""
        for alias in aliases:
            for other in model.versions.values():
                other.version_aliases = [one for one in other.version_aliases if one != alias]
            version.version_aliases = [*version.version_aliases, alias]

    @staticmethod
    def _check_aliases(aliases: Iterable[str]) -> None:
        for alias in aliases:
            if not _ALIAS.fullmatch(alias):
                raise Refused("INVALID_ARGUMENT", f"Invalid version alias: {alias}")

    @staticmethod
    def _is_of(deployed: v1.DeployedModel, name: str, version: str) -> bool:
        return deployed.model.split("@")[0] == name and deployed.model_version_id == version
