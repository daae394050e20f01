"""What a model is trained on, and in which precision: found on the machine, unless the config says otherwise."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

import tensorflow as tf

from roadworthy.models.config import TrainSettings
from roadworthy.serving.errors import ConfigError, WorkerLost

TF_CONFIG: Final = "TF_CONFIG"
FLOAT32: Final = "float32"
FLOAT16: Final = "mixed_float16"
BFLOAT16: Final = "mixed_bfloat16"

# The first generation of NVIDIA's GPUs that multiplies matrices of bfloat16 (Ampere).
_BFLOAT16_CAPABILITY: Final = (8, 0)
_TPU_VARIABLES: Final = ("TPU_NAME", "TPU_WORKER_ID")
_TASKS: Final = ("chief", "worker")
_LOST: Final = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
)


class Devices(NamedTuple):
    """The devices of one training, those of other workers included.

    Attributes:
        strategy: how a step is spread over them.
        precision: Keras' name of what layers compute in; variables are float32 in any.
    """

    strategy: tf.distribute.Strategy
    precision: str

    @property
    def replicas(self) -> int:
        """How many copies of the model are trained in step."""
        return int(self.strategy.num_replicas_in_sync)

    @property
    def several_workers(self) -> bool:
        """Whether other processes train as well."""
        return isinstance(self.strategy, tf.distribute.MultiWorkerMirroredStrategy)

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes."""
        return not self.several_workers or _is_chief(self.strategy.cluster_resolver)

    @property
    def are_plain(self) -> bool:
        """Whether a model can be trained as it is, with nothing spread and nothing mixed."""
        return self.precision == FLOAT32 and self.strategy is _one_device()

    def global_batch(self, batch_size: int) -> int:
        """The images of a step: the config's batch, made a multiple of the replicas by leaving some out.

        Every replica takes equally many, so that none waits for another and their gradients weigh the same.
        """
        return max(self.replicas, batch_size - batch_size % self.replicas)

    def wait_for_all(self) -> None:
        """Returns once every worker has come here."""
        if self.several_workers:
            self.total(1.0)

    def total(self, value: float) -> float:
        """The sum of what every replica's worker brings here, once all of them have."""
        brought = self.strategy.run(lambda own: own, args=(tf.constant(value),))
        return float(self.strategy.reduce(tf.distribute.ReduceOp.SUM, brought, axis=None))


@contextmanager
def together(devices: Devices) -> Iterator[None]:
    """Tells the loss of another worker from faults of this one.

    Raises:
        WorkerLost: another worker does not answer, or has started anew while this one had not.
    """
    try:
        yield
    except _LOST as error:
        if not devices.several_workers:
            raise
        reason = str(error).partition("\n")[0]
        raise WorkerLost(
            "All workers in TF_CONFIG must be there until the end. Received: no answer from one of them. Start all of "
            f"them again: they go on from the last backup. ({type(error).__name__}: {reason})"
        ) from error


def find_devices(settings: TrainSettings) -> Devices:
    """Finds what there is to train on; before anything else of TensorFlow is used where there are several workers.

    Args:
        settings: `strategy` and `precision`, each of which may be `auto`.

    Raises:
        ConfigError: TF_CONFIG is not what TensorFlow takes, or there is none for several workers.
    """
    kind = strategy_on_this_machine() if settings.strategy == "auto" else settings.strategy
    strategy = _STRATEGIES[kind]()
    precision = precision_on(kind) if settings.precision == "auto" else settings.precision
    return Devices(strategy, precision)


def strategy_on_this_machine() -> str:
    """The kind of strategy that uses all of the machine: several workers first, then TPU, then several GPUs."""
    if sum(len(addresses) for addresses in _cluster().values()) > 1:
        return "multi-worker"
    if any(name in os.environ for name in _TPU_VARIABLES):
        return "tpu"
    return "mirrored" if len(tf.config.list_physical_devices("GPU")) > 1 else "one-device"


def precision_on(kind: str) -> str:
    """What is quick on the devices of a strategy: bfloat16 where they have it, float16 on other GPUs, else float32."""
    if kind == "tpu":
        return BFLOAT16
    return precision_of([_capability(gpu) for gpu in tf.config.list_physical_devices("GPU")])


def precision_of(capabilities: list[tuple[int, int]]) -> str:
    """What GPUs of these compute capabilities compute in; the oldest decides, and none means a CPU."""
    if not capabilities:
        return FLOAT32
    return BFLOAT16 if min(capabilities) >= _BFLOAT16_CAPABILITY else FLOAT16


def _capability(gpu: tf.config.PhysicalDevice) -> tuple[int, int]:
    return tuple(tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0)))


def _cluster() -> Mapping[str, list[str]]:
    """The workers' addresses by task, as TF_CONFIG has them; none without it."""
    text = os.environ.get(TF_CONFIG)
    if not text:
        return {}
    try:
        cluster = json.loads(text).get("cluster", {})
    except (ValueError, AttributeError) as error:
        raise ConfigError(f"{TF_CONFIG} must be a JSON object with cluster and task. Received: {text!r}.") from error
    if not isinstance(cluster, dict) or not all(isinstance(addresses, list) for addresses in cluster.values()):
        raise ConfigError(f"{TF_CONFIG} must list the addresses of each task in cluster. Received: {cluster!r}.")
    if others := sorted(set(cluster) - set(_TASKS)):
        raise ConfigError(
            f"{TF_CONFIG} must have the tasks {' and '.join(_TASKS)} only: all workers train, none stores parameters "
            f"or evaluates. Received: {', '.join(others)}."
        )
    return cluster


def _is_chief(resolver: tf.distribute.cluster_resolver.ClusterResolver) -> bool:
    if "chief" in resolver.cluster_spec().as_dict():
        return bool(resolver.task_type == "chief")
    return bool(resolver.task_id == 0)


def _one_device() -> tf.distribute.Strategy:
    # TensorFlow's default: the first GPU if there is one, and nothing to distribute.
    return tf.distribute.get_strategy()


def _mirrored() -> tf.distribute.Strategy:
    gpus = tf.config.list_logical_devices("GPU")
    devices = [device.name for device in gpus or tf.config.list_logical_devices("CPU")]
    return tf.distribute.MirroredStrategy(devices)


def _multi_worker() -> tf.distribute.Strategy:
    if not _cluster():
        raise ConfigError(f"{TF_CONFIG} must be set for train.strategy: multi-worker. Received: nothing.")
    return tf.distribute.MultiWorkerMirroredStrategy()


def _tpu() -> tf.distribute.Strategy:
    # A TPU VM reaches its own chips as "local"; a name is one in the project.
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=os.environ.get("TPU_NAME", "local"))
    tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
    return tf.distribute.TPUStrategy(resolver)


_STRATEGIES: Final[Mapping[str, Callable[[], tf.distribute.Strategy]]] = {
    "one-device": _one_device,
    "mirrored": _mirrored,
    "multi-worker": _multi_worker,
    "tpu": _tpu,
}
