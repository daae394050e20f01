"""What of the pipeline depends on where it runs. Its nodes and how they hang together do not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tfx.orchestration.data_types import RuntimeParameter

from roadworthy.pipeline.cloud_config import CloudSettings, DataflowSettings, PortableSettings
from roadworthy.pipeline.config import RunConfig
from roadworthy.pipeline.parameters import MODEL_ROOT, cloud_of, parameters_of
from roadworthy.pipeline.platforms import PlatformName
from roadworthy.serving.errors import ConfigError

# Both platforms put a run's name here when they start a node.
RUN_ID: Final = "{{$.pipeline_job_name}}"


@dataclass(frozen=True)
class Place:
    """Where a pipeline runs.

    Attributes:
        root: folder or bucket of the artifacts.
        data: the data folder; may hold {SPAN}.
        model_root: where blessed models go; None where the config pushes none.
        caching: whether nodes whose inputs have not changed come from the cache.
        resolvers: whether the runner can look for artifacts of earlier runs.
        run_id: what differs from run to run; None: what TFX's local runners give.
        beam: arguments of the Beam nodes that may run elsewhere than in their own process; none: the pipeline's.
        varying: parameters that get their values when a run starts, by name.
    """

    root: str
    data: str
    model_root: str | RuntimeParameter | None
    caching: bool = True
    resolvers: bool = True
    run_id: str | None = None
    beam: tuple[str, ...] = ()
    varying: Mapping[str, RuntimeParameter] = field(default_factory=dict)


def local_place(config: RunConfig) -> Place:
    """This machine, below the config's `output`."""
    return Place(
        root=str(config.output / "artifacts"),
        data=str(config.data.path),
        model_root=str(config.push.model_root) if config.push else None,
    )


def cloud_place(config: RunConfig, platform: PlatformName) -> Place:
    """Vertex AI or Kubeflow, below the config's `cloud.pipeline_root`.

    Raises:
        ConfigError: the config has no `cloud` section, or the section lacks what the cloud needs.
    """
    cloud = cloud_of(config)
    varying = {
        name: RuntimeParameter(name=name, ptype=type(value), default=value)
        for name, value in parameters_of(config, cloud).items()
    }
    return Place(
        root=f"{cloud.pipeline_root}/{config.name}",
        data=str(cloud.data),
        model_root=varying.get(MODEL_ROOT),
        caching=cloud.caching,
        resolvers=platform == "vertex",
        run_id=RUN_ID,
        beam=beam_arguments(cloud),
        varying=varying,
    )


def beam_arguments(cloud: CloudSettings) -> tuple[str, ...]:
    """Beam's pipeline options for where the section runs it; none where it runs in the node itself.

    Raises:
        ConfigError: Dataflow without a project.
    """
    match cloud.beam:
        case DataflowSettings() as dataflow:
            return _dataflow(dataflow, cloud)
        case PortableSettings() as portable:
            return _portable(portable, cloud)
    return ()


def _dataflow(dataflow: DataflowSettings, cloud: CloudSettings) -> tuple[str, ...]:
    if cloud.project is None:
        raise ConfigError("cloud.project must be given for Dataflow. Received: none.")
    options: dict[str, str | int | None] = {
        "runner": "DataflowRunner",
        "project": cloud.project,
        "region": dataflow.region or cloud.region,
        "temp_location": f"{cloud.pipeline_root}/beam",
        "experiments": "use_runner_v2",
        "sdk_container_image": dataflow.image or cloud.image,
        "num_workers": dataflow.workers,
        "max_num_workers": dataflow.max_workers,
        "worker_machine_type": dataflow.machine_type,
        "service_account_email": cloud.service_account,
        "network": cloud.network and cloud.network.rsplit("/", 1)[-1],
        "dataflow_kms_key": cloud.kms_key,
    }
    labels = [f"--labels={key}={value}" for key, value in sorted(cloud.labels.items())]
    return (*_words(options), *labels, *dataflow.options)


def _portable(portable: PortableSettings, cloud: CloudSettings) -> tuple[str, ...]:
    options: dict[str, str | int | None] = {
        "runner": "PortableRunner",
        "job_endpoint": portable.endpoint,
        "parallelism": portable.workers,
        "environment_type": portable.environment,
        "environment_config": portable.environment_config
        or (cloud.image if portable.environment == "DOCKER" else None),
    }
    return (*_words(options), *portable.options)


def _words(options: Mapping[str, str | int | None]) -> tuple[str, ...]:
    return tuple(f"--{name}={value}" for name, value in options.items() if value is not None)
