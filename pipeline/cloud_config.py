"""The `cloud` section of a run's YAML file: where and on what Vertex AI or Kubeflow runs the same pipeline."""

import math
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from roadworthy.models.config import Settings, beside_config

GS: Final = "gs://"
# The slices whose chips are all in one machine, and the Vertex AI machine that has them: one process trains there.
TPU_MACHINES: Final = {
    ("v4", "2x2x1"): "ct4p-hightpu-4t",
    ("v5e", "1x1"): "ct5lp-hightpu-1t",
    ("v5e", "2x2"): "ct5lp-hightpu-4t",
    ("v5e", "2x4"): "ct5lp-hightpu-8t",
    ("v5p", "2x2x1"): "ct5p-hightpu-4t",
    ("v6e", "1x1"): "ct6e-standard-1t",
    ("v6e", "2x2"): "ct6e-standard-4t",
    ("v6e", "2x4"): "ct6e-standard-8t",
}

GpuKind = Literal[
    "nvidia-tesla-t4",
    "nvidia-l4",
    "nvidia-tesla-p100",
    "nvidia-tesla-v100",
    "nvidia-tesla-a100",
    "nvidia-a100-80gb",
    "nvidia-h100-80gb",
]


def _without_user(url: str) -> str:
    if "@" in url:
        raise ValueError(
            "must hold no user and no password, which would be in every message and record. Received: an address with "
            "@. Give a token by token_file or ROADWORTHY_KUBEFLOW_TOKEN."
        )
    return url


def _bucket_folder(uri: str) -> str:
    if not uri.startswith(GS) or not uri.removeprefix(GS).strip("/"):
        raise ValueError(f"must be a folder in a bucket, such as gs://my-bucket/pipelines. Received: {uri}.")
    return uri.rstrip("/")


def _one_or_more(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


BucketFolder = Annotated[str, AfterValidator(_bucket_folder)]
Patterns = Annotated[tuple[str, ...], BeforeValidator(_one_or_more), Field(min_length=1)]
LabelKey = Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{0,62}$")]
LabelValue = Annotated[str, Field(pattern="^[a-z0-9_-]{0,63}$")]


class Gpu(Settings):
    """GPUs of one node."""

    kind: GpuKind
    count: Literal[1, 2, 4, 8, 16] = 1


class Tpu(Settings):
    """A TPU slice of one machine."""

    kind: Literal["v4", "v5e", "v5p", "v6e"]
    topology: str = Field(description="Of one machine: 1x1, 2x2 or 2x4; 2x2x1 for v4 and v5p.")

    @model_validator(mode="after")
    def _one_machine(self) -> "Tpu":
        if (self.kind, self.topology) not in TPU_MACHINES:
            fits = ", ".join(topology for kind, topology in TPU_MACHINES if kind == self.kind)
            raise ValueError(f"topology must be one machine's of a {self.kind}: {fits}. Received: {self.topology}.")
        return self

    @property
    def chips(self) -> int:
        """How many chips the slice has."""
        return math.prod(int(side) for side in self.topology.split("x"))

    @property
    def machine_type(self) -> str:
        """The machine of Vertex AI and GKE that has the slice."""
        return TPU_MACHINES[self.kind, self.topology]


class NodeResources(Settings):
    """What some nodes run on; what is left out is the platform's choice."""

    match: Patterns = Field(description="Ids of nodes, * and ? allowed: Trainer, or [Trainer, 'Compressor.*'].")
    cpu: float | None = Field(None, gt=0, le=416, description="Virtual CPUs.")
    memory_gb: float | None = Field(None, gt=0, le=12_000, description="Memory, 10^9 bytes.")
    gpu: Gpu | None = None
    tpu: Tpu | None = None
    spot: bool = Field(False, description="On machines that may be taken away; a retry goes on from the checkpoint.")
    machine_type: str | None = Field(
        None, description="Vertex AI's machine, such as g2-standard-8; needed there for spot without a TPU."
    )

    @model_validator(mode="after")
    def _one_accelerator(self) -> "NodeResources":
        if self.gpu is not None and self.tpu is not None:
            raise ValueError("must have a gpu or a tpu. Received: both.")
        if self.tpu is not None and self.machine_type is not None:
            raise ValueError(f"machine_type follows from the tpu. Received: {self.machine_type}; leave it out.")
        return self


class DataflowSettings(Settings):
    """Beam on Google's Dataflow, in the project and region of `cloud` with its image."""

    runner: Literal["dataflow"]
    region: str | None = Field(None, description="Null: cloud.region.")
    workers: int = Field(1, ge=1, le=1000, description="Workers to begin with.")
    max_workers: int = Field(8, ge=1, le=1000)
    machine_type: str = "n1-standard-4"
    image: str | None = Field(None, description="Image of the workers; null: cloud.image.")
    options: tuple[str, ...] = Field((), description="Further pipeline options, such as --disk_size_gb=50.")

    @model_validator(mode="after")
    def _room_to_grow(self) -> "DataflowSettings":
        if self.workers > self.max_workers:
            raise ValueError(f"workers must be at most max_workers, {self.max_workers}. Received: {self.workers}.")
        return self


class PortableSettings(Settings):
    """Beam on a Flink or Spark cluster, by its job server."""

    runner: Literal["flink", "spark"]
    endpoint: str = Field(pattern=r"^[^\s:/]+:\d{1,5}$", description="Host and port of the Beam job server.")
    workers: int = Field(1, ge=1, le=1000, description="Parallelism.")
    environment: Literal["EXTERNAL", "DOCKER", "PROCESS", "LOOPBACK"] = Field(
        "EXTERNAL", description="Where the SDK's workers run: EXTERNAL is a worker pool, DOCKER runs cloud.image."
    )
    environment_config: str | None = Field(None, description="The pool's address, the image or the command of these.")
    options: tuple[str, ...] = Field((), description="Further pipeline options.")

    @model_validator(mode="after")
    def _pool_has_an_address(self) -> "PortableSettings":
        if self.environment in ("EXTERNAL", "PROCESS") and not self.environment_config:
            raise ValueError(f"environment_config must be given for {self.environment}. Received: none.")
        return self


CloudBeam = Annotated[DataflowSettings | PortableSettings, Field(discriminator="runner")]


class KubeflowSettings(Settings):
    """A Kubeflow Pipelines API server. The token is read when it is needed, and never written."""

    host: Annotated[str, AfterValidator(_without_user)] = Field(
        pattern="^https?://", description="Such as https://kubeflow.example.com/pipeline."
    )
    namespace: str = Field("kubeflow", pattern="^[a-z0-9][a-z0-9-]{0,62}$")
    token_file: Annotated[Path, AfterValidator(beside_config)] | None = Field(
        None, description="File with a bearer token; null: the variable ROADWORTHY_KUBEFLOW_TOKEN, or none."
    )
    ca_file: Annotated[Path, AfterValidator(beside_config)] | None = Field(
        None, description="Certificate that signed the host's, if no public one did."
    )
    service_account: str | None = Field(None, description="Kubernetes service account of the pods.")


class CloudSettings(Settings):
    """Where and on what the pipeline runs, when it does not run on this machine."""

    project: str | None = Field(
        None, pattern="^[a-z][a-z0-9-]{4,28}[a-z0-9]$", description="Google Cloud project; needed for Vertex AI."
    )
    region: str = Field("europe-west4", pattern="^[a-z]+-[a-z]+[0-9]+$", description="Of Vertex AI and Dataflow.")
    pipeline_root: BucketFolder = Field(description="gs:// folder for the artifacts of runs.")
    data: BucketFolder | None = Field(
        None, description="gs:// folder of the data, in place of data.path; needed to run in the cloud."
    )
    model_root: BucketFolder | None = Field(
        None, description="gs:// folder that blessed models are pushed to, in place of push.model_root."
    )
    image: str = Field(description="Image with Roadworthy installed, which every node runs in.")
    service_account: str | None = Field(None, description="Google service account the nodes run as on Vertex AI.")
    trainer_account: str | None = Field(
        None,
        description="That of Trainer and Compressor nodes that are jobs of their own there: spot, tpu or machine_type; "
        "null: service_account.",
    )
    serving_account: str | None = Field(None, description="That of containers that serve there; null: service_account.")
    network: str | None = Field(
        None,
        pattern="^projects/[^/]+/global/networks/[^/]+$",
        description="VPC peered with Vertex AI: projects/<number>/global/networks/<name>.",
    )
    kms_key: str | None = Field(
        None,
        pattern="^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$",
        description="Customer-managed key that everything of the run is encrypted with.",
    )
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, max_length=60)
    caching: bool = Field(True, description="Nodes whose inputs have not changed come from the cache.")
    retries: int = Field(0, ge=0, le=10, description="How often a node that failed is tried again.")
    nodes: tuple[NodeResources, ...] = Field((), description="What nodes run on; the first entry that matches counts.")
    beam: CloudBeam | None = Field(None, description="Where Beam runs; null: in the node itself, as beam.workers says.")
    kubeflow: KubeflowSettings | None = None

    @field_validator("nodes")
    @classmethod
    def _every_entry_counts(cls, nodes: tuple[NodeResources, ...]) -> tuple[NodeResources, ...]:
        earlier: set[str] = set()
        for entry in nodes:
            if twice := sorted(earlier & set(entry.match)):
                raise ValueError(f"must match a node once; the first entry counts. Received: {', '.join(twice)} again.")
            earlier |= set(entry.match)
        return nodes

    def resources_of(self, node_id: str) -> NodeResources | None:
        """The first entry of `nodes` that matches a node's id."""
        return next((entry for entry in self.nodes if _matches(node_id, entry.match)), None)

    def idle_patterns(self, node_ids: Sequence[str]) -> list[str]:
        """Patterns of `nodes` that match none of the ids, most likely misspelt."""
        patterns = [pattern for entry in self.nodes for pattern in entry.match]
        return [pattern for pattern in patterns if not any(fnmatchcase(node_id, pattern) for node_id in node_ids)]


def _matches(node_id: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(node_id, pattern) for pattern in patterns)
