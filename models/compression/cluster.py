"""Weight clustering with fine-tuning by TF-MOT: every kernel holds only so many different values."""

from typing import Final

import keras
import numpy as np
import tf_keras

from roadworthy.models.compression.kept import Keep, find_zeros
from roadworthy.models.compression.kernels import levels, rows_of
from roadworthy.models.compression.made import Bench, Made
from roadworthy.models.compression.recipe import Cluster
from roadworthy.models.compression.tf_mot import load_tf_mot
from roadworthy.models.compression.tf_mot_tuning import choose, fine_tune_wrapped, kernel_of, take_back, tf_keras_twin
from roadworthy.serving.errors import ModelError

CLUSTERED_LAYERS: Final = (tf_keras.layers.Conv2D, tf_keras.layers.Dense)

_INITS: Final = {
    "kmeans++": "KMEANS_PLUS_PLUS",
    "linear": "LINEAR",
    "density": "DENSITY_BASED",
    "random": "RANDOM",
}


def cluster(model: keras.Model, settings: Cluster, bench: Bench) -> Made:
    """Clusters the kernels of Conv2D and Dense layers while fine-tuning; zeros of a prune step stay, in all layers.

    Args:
        model: classifier whose output is probabilities [batch, classes]; its weights are changed in place.
        settings: clusters, where they start, layers, epochs and learning rate.
        bench: the training split, and the steps taken before.

    Returns:
        The same Keras 3 model, clustered. Pruned before, a kernel may hold zero beside its clusters.

    Raises:
        UnsupportedLayer: the bridge can't take a layer.
        ModelError: nothing in it can be clustered, or a kernel lost zeros or has more values.
        DataError: the training split is empty.

    Reference: Han, Mao and Dally 2016, "Deep Compression", https://arxiv.org/abs/1510.00149.
    """
    twin = tf_keras_twin(model, bench.images)
    pruned = bench.has("prune")
    chosen = choose(twin, settings, why_not=lambda layer: why_not(layer, settings, pruned=pruned), doing="clustering")
    before = {layer.name: kernel_of(layer).copy() for layer in chosen.layers}
    # TF-MOT keeps the zeros of the layers it clusters alone.
    others = {path: zeros for path, zeros in find_zeros(model, bench.earlier).items() if path not in before}
    wrapped = fine_tune_wrapped(
        twin,
        lambda layer: _wrap(layer, settings, preserve_sparsity=pruned, seed=bench.images.seed),
        settings,
        bench.images,
        chosen=chosen,
        callbacks=[Keep([(twin.get_layer(path).kernel, zeros) for path, zeros in others.items()])],
    )
    stripped = load_tf_mot().clustering.keras.strip_clustering(wrapped)
    for name, kernel in before.items():
        _restore_zeros(stripped.get_layer(name), kernel, pruned=pruned)
        check_kernel(name, kernel_of(stripped.get_layer(name)), settings, zeros=kernel == 0 if pruned else None)
    take_back(stripped, model, bench.images)
    return Made(model, skipped=chosen.skipped, notes=(_told(settings, kernels=len(before), pruned=pruned),))


def why_not(layer: tf_keras.layers.Layer, settings: Cluster, *, pruned: bool) -> str | None:
    """Why a layer's kernel, whose zeros count for nothing if it was pruned, is not clustered; None if it can be."""
    if isinstance(layer, tf_keras.layers.DepthwiseConv2D):
        return "a depthwise kernel has few weights: clustering them costs accuracy and saves next to nothing"
    # Subclasses are other layers.
    if type(layer) not in CLUSTERED_LAYERS:
        return f"{type(layer).__name__} has no kernel that is clustered"
    weights = _weights_to_share(layer, settings, pruned=pruned)
    if weights <= settings.clusters:
        which = "weights that are not zero" if pruned else "weights"
        return f"its {weights} {which} are no more than the {settings.clusters} clusters"
    return None


def check_kernel(name: str, kernel: np.ndarray, settings: Cluster, *, zeros: np.ndarray | None) -> None:
    """Holds a clustered kernel to its number of values and, if it was pruned, to its zeros.

    Args:
        name: of the layer.
        kernel: its weights, output channels on the last axis.
        settings: how many values, and whether each channel of a convolution has its own.
        zeros: where the kernel was zero before, bool of its shape; None if it was not pruned. Zero is then a value
            more.

    Raises:
        ModelError: it has more values, or lost zeros.
    """
    own = settings.per_channel and kernel.ndim > 2  # noqa: PLR2004
    found = levels(rows_of(kernel, channel_axes=(kernel.ndim - 1,))) if own else len(np.unique(kernel))
    allowed = settings.clusters + (zeros is not None)
    if found > allowed:
        raise ModelError(f"Layer {name!r} must hold at most {allowed} values after clustering. Received: {found}.")
    if zeros is not None and np.any(kernel[zeros]):
        raise ModelError(f"Layer {name!r} must keep its zeros. Received: {np.count_nonzero(kernel[zeros])} lost.")


def _told(settings: Cluster, *, kernels: int, pruned: bool) -> str:
    zero = " and zero" if pruned else ""
    each = "in every channel of a convolution" if settings.per_channel else "each"
    return f"{kernels} kernels hold at most {settings.clusters} values{zero} {each}."


def _weights_to_share(layer: tf_keras.layers.Layer, settings: Cluster, *, pruned: bool) -> int:
    """How many weights share the values, in the channel that has most of them."""
    kernel = kernel_of(layer)
    counted = kernel != 0 if pruned else np.ones_like(kernel, dtype=bool)
    own = settings.per_channel and isinstance(layer, tf_keras.layers.Conv2D)
    return int(counted.reshape(-1, kernel.shape[-1]).sum(axis=0).max() if own else counted.sum())


def _wrap(
    layer: tf_keras.layers.Layer, settings: Cluster, *, preserve_sparsity: bool, seed: int
) -> tf_keras.layers.Layer:
    """The wrapper of one layer: TF-MOT's, whose own function leaves out convolutions without a bias; or ours of it."""
    inits = load_tf_mot().clustering.keras.CentroidInitialization
    if settings.per_channel and isinstance(layer, tf_keras.layers.Conv2D):
        from roadworthy.models.compression.cluster_by_channel import ClusterByChannel

        return ClusterByChannel(
            layer, settings.clusters, init=settings.init, preserve_sparsity=preserve_sparsity, seed=seed
        )
    from tensorflow_model_optimization.python.core.clustering.keras.cluster_wrapper import ClusterWeights

    return ClusterWeights(
        layer, settings.clusters, getattr(inits, _INITS[settings.init]), preserve_sparsity=preserve_sparsity
    )


def _restore_zeros(layer: tf_keras.layers.Layer, before: np.ndarray, *, pruned: bool) -> None:
    """Zeros as they were: TF-MOT gives some of them to the centroid nearest to zero when that moves in training."""
    if pruned:
        layer.kernel.assign(np.where(before == 0, 0, kernel_of(layer)))
