"""What every Deployment owes beside itself: who may reach it, who keeps enough of it, and by what that is measured."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_GUARDS: Final = ("HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget", "PodMonitoring")
# Google's own, of which GKE writes a series for every container.
_SYSTEM_METRICS: Final = {"kubernetes.io|container|accelerator|duty_cycle"}
_RECORDED: Final = "prometheus.googleapis.com|{}|gauge"
_WORKERS: Final = "--workers="

Manifest = Mapping[str, Any]


def guard_faults(manifests: Sequence[Manifest]) -> list[str]:
    """What a Deployment lacks, and guards that guard nothing."""
    checks = (_guarded, _spread, _walls, _metrics, _workers)
    return [f"{one['kind']}/{one['metadata']['name']}: {fault}" for one, fault in _all(checks, manifests)]


def _all(checks: Sequence[Any], manifests: Sequence[Manifest]) -> Iterator[tuple[Manifest, str]]:
    for check in checks:
        for one in manifests:
            yield from ((one, fault) for fault in check(one, manifests))


def _guarded(one: Manifest, manifests: Sequence[Manifest]) -> Iterator[str]:
    if one["kind"] != "Deployment":
        return
    labels = one["spec"]["template"]["metadata"]["labels"]
    for kind in _GUARDS:
        if not any(_means(guard, one["metadata"]["name"], labels) for guard in manifests if guard["kind"] == kind):
            yield f"must have a {kind}. Received: none."


def _means(guard: Manifest, name: str, labels: Mapping[str, str]) -> bool:
    spec = guard["spec"]
    if guard["kind"] == "HorizontalPodAutoscaler":
        return spec["scaleTargetRef"]["name"] == name
    wanted = spec.get("podSelector", spec.get("selector", {})).get("matchLabels", {})
    return bool(wanted) and wanted.items() <= labels.items()


def _spread(one: Manifest, _: Sequence[Manifest]) -> Iterator[str]:
    if one["kind"] == "Deployment":
        asked = one["spec"]["template"]["spec"].get("topologySpreadConstraints", [])
        keys = {each["topologyKey"] for each in asked}
        if missing := {"topology.kubernetes.io/zone", "kubernetes.io/hostname"} - keys:
            yield f"pods must be spread over {' and '.join(sorted(missing))}. Received: {sorted(keys) or 'nothing'}."


def _walls(one: Manifest, _: Sequence[Manifest]) -> Iterator[str]:
    """A rule without a peer, or without a port, lets everybody through."""
    if one["kind"] != "NetworkPolicy":
        return
    spec = one["spec"]
    if sorted(spec.get("policyTypes", [])) != ["Egress", "Ingress"]:
        yield f"policyTypes must be Ingress and Egress. Received: {spec.get('policyTypes')}."
    for way, peers in (("ingress", "from"), ("egress", "to")):
        for rule in spec.get(way) or []:
            open_to = [peer for peer in rule.get(peers) or [{}] if not peer or _is_everywhere(peer)]
            if open_to or not rule.get("ports"):
                yield f"{way} must name peers and ports, and not everybody. Received: {rule}."


def _is_everywhere(peer: Mapping[str, Any]) -> bool:
    whole_namespaces = "namespaceSelector" in peer and not peer["namespaceSelector"] and "podSelector" not in peer
    return whole_namespaces or str(peer.get("ipBlock", {}).get("cidr", "")).endswith("/0")


def _metrics(one: Manifest, manifests: Sequence[Manifest]) -> Iterator[str]:
    """A metric that nobody writes scales nothing, and the cluster tells it only in an event."""
    if one["kind"] != "HorizontalPodAutoscaler":
        return
    written = _SYSTEM_METRICS | {
        _RECORDED.format(rule["record"])
        for rules in manifests
        if rules["kind"] == "Rules"
        for group in rules["spec"]["groups"]
        for rule in group["rules"]
        if "record" in rule
    }
    tracks = {
        other["spec"]["template"]["metadata"]["labels"].get("roadworthy.dev/track")
        for other in manifests
        if other["kind"] == "Deployment" and other["metadata"]["name"] == one["spec"]["scaleTargetRef"]["name"]
    }
    for metric in (each["external"]["metric"] for each in one["spec"]["metrics"] if each["type"] == "External"):
        if metric["name"] not in written:
            yield f"must scale by a metric that Rules record or GKE has. Received: {metric['name']}."
        track = metric.get("selector", {}).get("matchLabels", {}).get("metric.labels.track")
        if track is not None and track not in tracks:
            yield f"must scale by its own track's series. Received: {track}."


def _workers(one: Manifest, _: Sequence[Manifest]) -> Iterator[str]:
    if one["kind"] != "Deployment":
        return
    for container in one["spec"]["template"]["spec"]["containers"]:
        cores = _cores(container["resources"]["limits"]["cpu"])
        for given in (word for word in container.get("args", []) if word.startswith(_WORKERS)):
            if int(given.removeprefix(_WORKERS)) > cores:
                yield f"{container['name']} must have a core for each worker. Received: {given}, {cores:g} cores."


def _cores(quantity: str) -> float:
    return int(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)
