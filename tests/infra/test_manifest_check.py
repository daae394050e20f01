"""One mistake of each kind in a rendered overlay: every one must be told, and the overlay as it is must not."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
MISTAKES = {
    "misspelt field": ("readinessProbe:", "readynessProbe:", "readynessProbe"),
    "a number as text": ("maxReplicas: 10", 'maxReplicas: "10"', "10"),
    "unknown kind": ("kind: PodDisruptionBudget", "kind: PodDisruptionBudgets", "PodDisruptionBudgets"),
    "a version that is gone": (
        "apiVersion: autoscaling/v2",
        "apiVersion: autoscaling/v2beta2",
        "no autoscaling/v2beta2",
    ),
    "missing field": (
        "  scaleTargetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: model-server\n",
        "",
        "scaleTargetRef",
    ),
    "a route's field": ("backendRefs:", "backendReferences:", "backendReferences"),
    "a route's weight": ("weight: 90", "weight: heavy", "heavy"),
    "weights of 110": ("weight: 90", "weight: 100", "weights must sum to 100"),
    "a route to nowhere": (
        "    - name: model-server-canary\n      port: 8501",
        "    - name: canary\n      port: 8501",
        "canary:8501",
    ),
    "a kind without a schema": ("kind: HTTPRoute", "kind: GRPCRoute", "every kind must have a schema"),
    "an interval that is none": ("interval: 15s", "interval: often", "often"),
    "a probe of a port": ("path: /readyz", "path: /", "must ask /readyz"),
    "a probe of a port that is not there": (
        "port: http\n          periodSeconds: 5",
        "port: https\n          periodSeconds: 5",
        "https",
    ),
    "a config map that is not there": (
        "configMapRef:\n            name: model-source-canary-",
        "configMapRef:\n            name: model-sources-canary-",
        "must name a ConfigMap",
    ),
    "an autoscaler of nothing": (
        "    kind: Deployment\n    name: model-server-canary",
        "    kind: Deployment\n    name: canary",
        "must name a Deployment",
    ),
    "a service of both tracks": (
        "    app.kubernetes.io/name: model-server\n    roadworthy.dev/track: stable",
        "    app.kubernetes.io/name: model-server",
        "select the pods of one",
    ),
    "a peer with our labels": (
        "matchExpressions:\n        - key: k8s-app\n          operator: In\n"
        "          values:\n          - kube-dns\n          - node-local-dns",
        "matchLabels:\n          k8s-app: kube-dns\n          roadworthy.dev/track: stable",
        "a peer must not be asked",
    ),
    "an autoscaler by a metric that nobody writes": (
        "roadworthy_request_latency_p95_microseconds|gauge",
        "roadworthy_latency_p95|gauge",
        "must scale by a metric that Rules record",
    ),
    "an autoscaler by the other track": (
        "metric.labels.track: canary",
        "metric.labels.track: stable",
        "must scale by its own track's series",
    ),
    "a policy that lets everybody in": (
        "  - from:\n    - namespaceSelector: {}\n      podSelector:\n        matchExpressions:\n"
        '        - key: roadworthy.dev/may-ask-models\n          operator: In\n          values:\n          - "true"\n',
        "  - from:\n    - namespaceSelector: {}\n",
        "ingress must name peers and ports",
    ),
    "a policy that lets everything out": ("cidr: 10.255.255.254/32", "cidr: 0.0.0.0/0", "egress must name peers and"),
    "a policy for one direction": (
        "  policyTypes:\n  - Ingress\n  - Egress\n",
        "  policyTypes:\n  - Ingress\n",
        "policyTypes must be",
    ),
    "pods in one zone": ("topology.kubernetes.io/zone", "topology.kubernetes.io/region", "pods must be spread over"),
    "more workers than cores": ("--workers=2", "--workers=4", "must have a core for each worker"),
    "twice the same": (
        "name: model-server-canary\n  namespace: models\nspec:\n  maxUnavailable",
        "name: model-server\n  namespace: models\nspec:\n  maxUnavailable",
        "must be there once",
    ),
}


@pytest.fixture(scope="session")
def canary(tools):
    """The overlay that has most in it, rendered."""
    command = [ROOT / ".cache/check/bin/kubectl", "kustomize", ROOT / "infra/kubernetes/overlays/canary"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def check(text):
    done = subprocess.run(
        [ROOT / ".cache/check/bin/python", "-m", "manifest_check", "-"],
        env=os.environ | {"PYTHONPATH": str(ROOT / "infra/check")},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr, done.returncode


def test_the_overlay_as_it_is_passes(canary):
    said, code = check(canary)

    assert (code, said) == (0, "stdin: 25 manifests, 0 faults\n")


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_planted_mistake_fails(canary, kind):
    before, after, told = MISTAKES[kind]
    assert before in canary
    said, code = check(canary.replace(before, after))

    assert code == 1, said
    assert told in said


@pytest.mark.parametrize("kind", ["HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget", "PodMonitoring"])
def test_a_deployment_without_one_of_its_guards_is_told(canary, kind):
    left = [
        one for one in yaml.safe_load_all(canary) if (one["kind"], one["metadata"]["name"]) != (kind, "model-server")
    ]
    said, code = check(yaml.safe_dump_all(left))

    assert code == 1
    assert f"stdin: Deployment/model-server: must have a {kind}. Received: none." in said


def test_a_folder_without_overlays_is_refused(tmp_path):
    done = subprocess.run([ROOT / "infra/check/manifests.sh", tmp_path], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "Received: none." in done.stderr


def test_text_that_is_no_yaml_is_told():
    said, code = check("a: [1\n---\n}")

    assert code == 1
    assert "must be YAML" in said
