"""Holds manifests to schemas: Kubernetes' own kinds to those that kubernetes-validate brings, others to ours."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
from jsonschema import Draft7Validator
from referencing import Registry, Resource

_OURS: Final = Path(__file__).resolve().parents[2] / "kubernetes" / "schemas"
# The oldest that the manifests are for: GKE's regular channel.
_VERSION: Final = "1.33"


def schema_faults(manifests: Sequence[Any]) -> list[str]:
    """What is not as its schema says: unknown and missing fields, wrong types and values, kinds without a schema."""
    return [fault for manifest in manifests for fault in _faults(manifest)]


def _faults(manifest: Any) -> Iterator[str]:
    called = f"{manifest.get('kind')}/{manifest.get('metadata', {}).get('name')}"
    if _is_kubernetes_own(manifest):
        yield from (f"{called}: {fault}" for fault in _kubernetes_faults(manifest))
        return
    file = _OURS / f"{str(manifest.get('kind')).lower()}.json"
    if not file.is_file():
        yield f"{called}: every kind must have a schema in {_OURS.name}/. Received: no {file.name}."
        return
    for error in Draft7Validator(json.loads(file.read_text()), registry=_registry()).iter_errors(manifest):
        yield f"{called}: {'.'.join(map(str, error.absolute_path))}: {error.message}"


def _is_kubernetes_own(manifest: Any) -> bool:
    """Groups without a domain, and those of *.k8s.io that are no CRDs."""
    group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
    return "." not in group or (group.endswith(".k8s.io") and group != "gateway.networking.k8s.io")


def _kubernetes_faults(manifest: Any) -> Iterator[str]:
    try:
        kubernetes_validate.validate(manifest, _VERSION, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError:
        yield f"must be a kind of Kubernetes {_VERSION}, which has no {manifest['apiVersion']} {manifest['kind']}."


def _registry() -> Registry:
    files = {file.name: json.loads(file.read_text()) for file in _OURS.glob("*.json")}
    return Registry().with_resources((name, Resource.from_contents(schema)) for name, schema in files.items())
