"""RunConfig -> PipelineSpec, by TFX's own compiler, with what that leaves out put in."""

from collections.abc import Iterator
from typing import Any, Final

from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig

from roadworthy.models.config import IMAGENET, RANDOM
from roadworthy.pipeline.build import build_pipeline
from roadworthy.pipeline.cloud_config import CloudSettings
from roadworthy.pipeline.compiled.names import with_plain_names
from roadworthy.pipeline.compiled.resources import kubernetes_settings, with_custom_jobs, with_resources
from roadworthy.pipeline.config import RunConfig
from roadworthy.pipeline.parameters import cloud_of, parameters_of
from roadworthy.pipeline.place import cloud_place
from roadworthy.pipeline.platforms import PlatformName
from roadworthy.pipeline.preflight import backbones
from roadworthy.serving.errors import ConfigError

Spec = dict[str, Any]
_EXECUTE: Final = ["python", "-m", "roadworthy.pipeline.container.execute"]
_DRIVE: Final = ["python", "-m", "roadworthy.pipeline.container.drive"]
_EXECUTOR_SUFFIX: Final = "_executor"


def compile_spec(config: RunConfig, platform: PlatformName) -> tuple[Spec, Spec]:
    """Compiles the pipeline of a config; nothing is read or written.

    TFX leaves out the parameters' default values, a way to say which driver an ingest node has, the resources of that
    node, and retries; it also takes any id for a name, which Kubeflow does not.

    Args:
        config: checked, with a `cloud` section.
        platform: what will run it.

    Returns:
        The PipelineSpec, and Kubeflow's PlatformSpec, which is empty for Vertex AI; both as JSON-able values.

    Raises:
        ConfigError: the section lacks something, a pattern of `cloud.nodes` matches no node, or the config names files
            of this machine.
    """
    cloud = cloud_of(config)
    _refuse_local_files(config)
    pipeline = build_pipeline(config, cloud_place(config, platform))
    _refuse_idle_patterns(cloud, [node.id for node in pipeline.components])
    settings = KubeflowV2DagRunnerConfig(
        default_image=cloud.image, default_commands=_EXECUTE, use_pipeline_spec_2_1=True
    )
    spec = KubeflowV2DagRunner(settings).run(pipeline, write_out=False)["pipelineSpec"]
    for name, value in parameters_of(config, cloud).items():
        spec["root"]["inputDefinitions"]["parameters"][name]["defaultValue"] = value
    _set_driver(spec, platform)
    _never_cache(spec)
    _set_retries(spec, cloud)
    with_resources(spec, cloud, platform)
    kubernetes = kubernetes_settings(spec, cloud) if platform == "kubeflow" else {}
    if platform == "vertex":
        with_custom_jobs(spec, cloud)
    return with_plain_names(spec), kubernetes


def containers(spec: Spec) -> Iterator[tuple[str, Spec]]:
    """The container of every node that has one, by the node's id, while names are still TFX's."""
    for label, executor in spec["deploymentSpec"]["executors"].items():
        if "container" in executor:
            yield label.removesuffix(_EXECUTOR_SUFFIX), executor["container"]


def _set_driver(spec: Spec, platform: PlatformName) -> None:
    """Vertex AI runs our driver before it looks into its cache; Kubeflow runs none, so there the node does.

    Without a driver before it, a cache would take changed data for the same, so on Kubeflow the node has none.
    """
    for node_id, container in containers(spec):
        hook = container.pop("lifecycle", None)
        if hook is None:
            continue
        if platform == "vertex":
            hook["preCacheCheck"]["command"] = _DRIVE
            container["lifecycle"] = hook
        else:
            container["args"].append("--drive_first")
            spec["root"]["dag"]["tasks"][node_id].pop("cachingOptions", None)


def _never_cache(spec: Spec) -> None:
    """What lies in a model root is no input a platform knows, so nodes that look into it or add to it run each time."""
    for task in spec["root"]["dag"]["tasks"].values():
        if "run_id" in task.get("inputs", {}).get("parameters", {}):
            task.pop("cachingOptions", None)


def _set_retries(spec: Spec, cloud: CloudSettings) -> None:
    if cloud.retries == 0:
        return
    policy = {
        "maxRetryCount": cloud.retries,
        "backoffDuration": "60s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": "3600s",
    }
    for node_id, _ in containers(spec):
        spec["root"]["dag"]["tasks"][node_id]["retryPolicy"] = dict(policy)


def _refuse_idle_patterns(cloud: CloudSettings, node_ids: list[str]) -> None:
    if idle := cloud.idle_patterns(node_ids):
        raise ConfigError(
            f"cloud.nodes must match nodes of this pipeline. Received: {', '.join(idle)}, which match none of "
            f"{', '.join(node_ids)}."
        )


def _refuse_local_files(config: RunConfig) -> None:
    """A container sees none of this machine's files."""
    if config.trained is not None:
        raise ConfigError(
            f"trained must be left out where the pipeline runs in the cloud, which sees no file of this machine. "
            f"Received: {config.trained.path}. Run it here, with --on local."
        )
    for key, backbone in backbones(config):
        if backbone.weights not in (RANDOM, IMAGENET):
            raise ConfigError(
                f"{key}.weights must be imagenet or none where the pipeline runs in the cloud, which sees no file of "
                f"this machine. Received: {backbone.weights}."
            )
    if config.rehearsal is not None and config.rehearsal.by != "roadworthy":
        raise ConfigError(
            f"rehearsal.by must be roadworthy where the pipeline runs in the cloud: TFX compiles no InfraValidator "
            f"there. Received: {config.rehearsal.by}."
        )
