"""What manifests say of each other: names that exist, selectors that select, weights that add up."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_HUNDRED: Final = 100
_MODEL_PATH: Final = re.compile(r"^/v1/models/([^/]+)")

Manifest = Mapping[str, Any]


def relation_faults(manifests: Sequence[Manifest]) -> list[str]:
    """What each manifest asks of the others and does not find."""
    checks = (_selectors, _targets, _routes, _config_maps, _probes, _peers)
    return [fault for check in checks for fault in check(manifests)]


def _of(manifests: Sequence[Manifest], *kinds: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def _called(manifest: Manifest) -> str:
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def _names(manifests: Sequence[Manifest], kind: str) -> set[str]:
    return {manifest["metadata"]["name"] for manifest in _of(manifests, kind)}


def _selectors(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Whoever selects pods must mean those of one Deployment: of none it does nothing, of two it mixes tracks."""
    pods = {_called(one): one["spec"]["template"]["metadata"]["labels"] for one in _of(manifests, "Deployment")}
    for one in _of(manifests, "Service", "PodDisruptionBudget", "PodMonitoring", "NetworkPolicy", "Deployment"):
        spec = one["spec"]
        wanted = spec.get("podSelector", spec.get("selector", {}))
        wanted = wanted.get("matchLabels", {}) if one["kind"] != "Service" else wanted
        chosen = [name for name, labels in pods.items() if wanted.items() <= labels.items()]
        if len(chosen) != 1:
            yield f"{_called(one)}: must select the pods of one Deployment. Received: {', '.join(chosen) or 'none'}."


def _targets(manifests: Sequence[Manifest]) -> Iterator[str]:
    for one in _of(manifests, "HorizontalPodAutoscaler"):
        yield from _missing(one, manifests, "Deployment", one["spec"]["scaleTargetRef"]["name"])
    for one in _of(manifests, "HealthCheckPolicy"):
        yield from _missing(one, manifests, "Service", one["spec"]["targetRef"]["name"])
    for one in _of(manifests, "Deployment"):
        yield from _missing(one, manifests, "ServiceAccount", one["spec"]["template"]["spec"]["serviceAccountName"])


def _missing(one: Manifest, manifests: Sequence[Manifest], kind: str, name: str) -> Iterator[str]:
    if name not in _names(manifests, kind):
        yield f"{_called(one)}: must name a {kind} that is there. Received: {name}."


def _routes(manifests: Sequence[Manifest]) -> Iterator[str]:
    ports = {
        (one["metadata"]["name"], port["port"]) for one in _of(manifests, "Service") for port in one["spec"]["ports"]
    }
    for route in _of(manifests, "HTTPRoute"):
        for parent in route["spec"]["parentRefs"]:
            yield from _missing(route, manifests, "Gateway", parent["name"])
        for rule in route["spec"]["rules"]:
            backends = rule["backendRefs"]
            for backend in backends:
                if (backend["name"], backend["port"]) not in ports:
                    yield f"{_called(route)}: must go to a Service. Received: {backend['name']}:{backend['port']}."
            if (total := sum(backend.get("weight", 1) for backend in backends)) != _HUNDRED:
                yield f"{_called(route)}: weights must sum to 100, so that they read as per cent. Received: {total}."


def _config_maps(manifests: Sequence[Manifest]) -> Iterator[str]:
    for one in _of(manifests, "Deployment"):
        for name in sorted(_config_map_names(one["spec"]["template"]["spec"])):
            yield from _missing(one, manifests, "ConfigMap", name)


def _config_map_names(pod: Manifest) -> set[str]:
    containers = [*pod.get("initContainers", []), *pod["containers"]]
    by_variable = {source["configMapRef"]["name"] for each in containers for source in each.get("envFrom", [])}
    return by_variable | {volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume}


def _probes(manifests: Sequence[Manifest]) -> Iterator[str]:
    """A probe asks a port that the container has, and of readiness: for a model, not for a port."""
    for one in _of(manifests, "Deployment"):
        served = _served(one, manifests)
        for container in one["spec"]["template"]["spec"]["containers"]:
            ports = {port["name"] for port in container["ports"]}
            for name in ("startupProbe", "readinessProbe"):
                yield from (
                    f"{_called(one)}: {fault}" for fault in _ready_faults(name, container.get(name), ports, served)
                )
            if "livenessProbe" not in container:
                yield f"{_called(one)}: {container['name']} must have a livenessProbe. Received: none."


def _ready_faults(name: str, probe: Any, ports: set[str], served: set[str]) -> Iterator[str]:
    asked = (probe or {}).get("httpGet")
    if asked is None:
        yield f"{name} must ask over HTTP whether the model answers. Received: {probe}."
        return
    if asked["port"] not in ports:
        yield f"{name} must ask a port of its container. Received: {asked['port']}."
    model = _MODEL_PATH.match(asked["path"])
    if asked["path"] != "/readyz" and not (model and asked["path"].endswith("/metadata")):
        yield f"{name} must ask /readyz or a model's metadata. Received: {asked['path']}."
    if model and model[1] not in served:
        yield f"{name} must ask for a model of models.config. Received: {model[1]}."


def _served(deployment: Manifest, manifests: Sequence[Manifest]) -> set[str]:
    """The models that the config names which a Deployment mounts."""
    mounted = _config_map_names(deployment["spec"]["template"]["spec"])
    texts = [
        one["data"].get("models.config", "")
        for one in _of(manifests, "ConfigMap")
        if one["metadata"]["name"] in mounted
    ]
    return {name for text in texts for name in re.findall(r'name:\s*"([^"]+)"', text)}


def _peers(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Our own labels are on our pods alone: as part of another's selector they cut it off."""
    own = {key for one in _of(manifests, "Deployment") for key in one["spec"]["template"]["metadata"]["labels"]}
    for one in _of(manifests, "NetworkPolicy"):
        rules = [*one["spec"].get("ingress", []), *one["spec"].get("egress", [])]
        for peer in [peer for rule in rules for peer in [*rule.get("from", []), *rule.get("to", [])]]:
            labels = peer.get("podSelector", {}).get("matchLabels", {})
            if found := sorted(own & labels.keys()):
                yield f"{_called(one)}: a peer must not be asked for our pods' labels. Received: {', '.join(found)}."
