"""What nodes run on, in the words of Vertex AI and of Kubernetes."""

import re
from typing import Any, Final

from roadworthy.pipeline.cloud_config import CloudSettings, Gpu, NodeResources
from roadworthy.pipeline.compiled.names import plain_name
from roadworthy.pipeline.platforms import PlatformName
from roadworthy.serving.errors import ConfigError

Spec = dict[str, Any]
_EXECUTOR_SUFFIX: Final = "_executor"
_TRAINING: Final = ("Trainer", "Compressor")
# Labels and taints of GKE's node pools: cloud.google.com/kubernetes-engine/docs/how-to/{gpus,tpus,spot-vms}.
_GKE: Final = "cloud.google.com"
_GKE_TPUS: Final = {
    "v4": "tpu-v4-podslice",
    "v5e": "tpu-v5-lite-podslice",
    "v5p": "tpu-v5p-slice",
    "v6e": "tpu-v6e-slice",
}


def with_resources(spec: Spec, cloud: CloudSettings, platform: PlatformName) -> None:
    """Sets every container's CPUs, memory and accelerator, as KFP's own compiler writes them."""
    for label, executor in spec["deploymentSpec"]["executors"].items():
        resources = _of(label, cloud)
        if resources is None or "container" not in executor:
            continue
        executor["container"]["resources"] = {
            **_cpu_and_memory(resources),
            **_accelerator(resources, platform),
        }


def with_custom_jobs(spec: Spec, cloud: CloudSettings) -> None:
    """Vertex AI has TPU slices, named machines and spot machines for custom jobs only, so such nodes become one.

    Raises:
        ConfigError: a spot node without the machine to ask for.
    """
    for label, executor in spec["deploymentSpec"]["executors"].items():
        resources = _of(label, cloud)
        if resources is None or "container" not in executor or not _needs_a_job(resources):
            continue
        container = executor.pop("container")
        if "lifecycle" in container:
            raise ConfigError(
                f"cloud.nodes: {_node(label)} reads the data and can't run on a TPU, spot or a machine_type."
            )
        executor["customJob"] = {"customJob": _custom_job(label, container, resources, cloud)}


def kubernetes_settings(spec: Spec, cloud: CloudSettings) -> Spec:
    """Kubeflow's PlatformSpec: labels of pods, and the machines they may be put on; empty where nothing is asked.

    Raises:
        ConfigError: a label that Google's services take and Kubernetes does not.
    """
    _check_pod_labels(cloud.labels)
    labels = {"podMetadata": {"labels": dict(cloud.labels)}} if cloud.labels else {}
    executors = {
        plain_name(_node(label)) + _EXECUTOR_SUFFIX: asked
        for label, executor in spec["deploymentSpec"]["executors"].items()
        if "container" in executor and (asked := labels | _machines(_of(label, cloud)))
    }
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}} if executors else {}


def _machines(resources: NodeResources | None) -> Spec:
    labels = _node_labels(resources) if resources is not None else {}
    if resources is None or not labels:
        return {}
    return {
        "nodeSelector": {"labels": labels},
        **({"tolerations": [_SPOT_TAINT]} if resources.spot else {}),
    }


def _check_pod_labels(labels: dict[str, str]) -> None:
    for key, value in labels.items():
        if not (_POD_LABEL.fullmatch(key) and (_POD_LABEL.fullmatch(value) or not value)):
            raise ConfigError(
                "cloud.labels must begin and end with letters or digits, keys and values, for pods of Kubernetes. "
                f"Received: {key}: {value!r}."
            )


_POD_LABEL: Final = re.compile("[a-z0-9]([a-z0-9_-]*[a-z0-9])?")
_SPOT_TAINT: Final = {"key": f"{_GKE}/gke-spot", "operator": "Equal", "value": "true", "effect": "NoSchedule"}


def _of(label: str, cloud: CloudSettings) -> NodeResources | None:
    return cloud.resources_of(_node(label))


def _node(label: str) -> str:
    return label.removesuffix(_EXECUTOR_SUFFIX)


def _cpu_and_memory(resources: NodeResources) -> Spec:
    found: Spec = {}
    if resources.cpu is not None:
        found |= {"cpuLimit": resources.cpu, "resourceCpuLimit": f"{resources.cpu:g}"}
    if resources.memory_gb is not None:
        found |= {"memoryLimit": resources.memory_gb, "resourceMemoryLimit": f"{resources.memory_gb:g}G"}
    return found


def _accelerator(resources: NodeResources, platform: PlatformName) -> Spec:
    if resources.gpu is not None:
        kind = _vertex_kind(resources.gpu) if platform == "vertex" else "nvidia.com/gpu"
        return _accelerators(kind, resources.gpu.count)
    if resources.tpu is not None and platform == "kubeflow":
        return _accelerators("google.com/tpu", resources.tpu.chips)
    return {}


def _accelerators(kind: str, count: int) -> Spec:
    return {"accelerator": {"type": kind, "count": str(count), "resourceType": kind, "resourceCount": str(count)}}


def _vertex_kind(gpu: Gpu) -> str:
    """Vertex AI's name of what GKE calls `nvidia-l4`: NVIDIA_L4."""
    return gpu.kind.upper().replace("-", "_")


def _needs_a_job(resources: NodeResources) -> bool:
    return resources.spot or resources.tpu is not None or resources.machine_type is not None


def _custom_job(label: str, container: Spec, resources: NodeResources, cloud: CloudSettings) -> Spec:
    machine = resources.tpu.machine_type if resources.tpu else resources.machine_type
    if machine is None:
        raise ConfigError(
            f"cloud.nodes: machine_type must be given for {_node(label)}, which runs on spot machines of Vertex AI. "
            "Received: none. One such as g2-standard-8 has a GPU of its own kind."
        )
    machine_spec: Spec = {"machineType": machine}
    if resources.gpu is not None:
        machine_spec |= {"acceleratorType": _vertex_kind(resources.gpu), "acceleratorCount": resources.gpu.count}
    if resources.tpu is not None:
        machine_spec["tpuTopology"] = resources.tpu.topology
    job: Spec = {
        "workerPoolSpecs": [
            {
                "machineSpec": machine_spec,
                "replicaCount": "1",
                "containerSpec": {
                    "imageUri": container["image"],
                    "command": container["command"],
                    "args": container["args"],
                },
            }
        ],
        "scheduling": {"restartJobOnWorkerRestart": True, **({"strategy": "SPOT"} if resources.spot else {})},
    }
    if account := _account(_node(label), cloud):
        job["serviceAccount"] = account
    if cloud.network:
        job["network"] = cloud.network
    encryption = {"encryptionSpec": {"kmsKeyName": cloud.kms_key}} if cloud.kms_key else {}
    return {"displayName": plain_name(_node(label)), "jobSpec": job, "labels": dict(cloud.labels), **encryption}


def _account(node: str, cloud: CloudSettings) -> str | None:
    trains = node.partition(".")[0] in _TRAINING
    return (cloud.trainer_account if trains else None) or cloud.service_account


def _node_labels(resources: NodeResources) -> dict[str, str]:
    labels: dict[str, str] = {}
    if resources.gpu is not None:
        labels[f"{_GKE}/gke-accelerator"] = resources.gpu.kind
    if resources.tpu is not None:
        labels[f"{_GKE}/gke-tpu-accelerator"] = _GKE_TPUS[resources.tpu.kind]
        labels[f"{_GKE}/gke-tpu-topology"] = resources.tpu.topology
    if resources.spot:
        labels[f"{_GKE}/gke-spot"] = "true"
    return labels
