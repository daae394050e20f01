"""TF-MOT's clustering wrapper for convolutions whose output channels have centroids of their own.

TF-MOT has such a mode, which builds some ten operations for every channel, of which networks have thousands. It also
stops at a pruned channel with fewer weights than clusters. Here the channels of a layer are one operation, and TF-MOT
trains and strips the wrapper as one of its own.
"""

import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.python.core.clustering.keras.cluster_wrapper import ClusterWeights
from tensorflow_model_optimization.python.core.clustering.keras.clustering_algorithm import ClusteringAlgorithm

from roadworthy.models.compression.centroids import start_centroids
from roadworthy.models.compression.kernels import rows_of

_KERNEL = "kernel"


class ClusterByChannel(ClusterWeights):  # type: ignore[misc]
    """Holds the kernel [height, width, in, out] of a Conv2D to so many values an output channel, zero among them."""

    def __init__(
        self, layer: tf_keras.layers.Conv2D, clusters: int, *, init: str, preserve_sparsity: bool, seed: int
    ) -> None:
        """Wraps a layer.

        Args:
            layer: built, its kernel trained.
            clusters: values a channel.
            init: where centroids start, as the recipe has it.
            preserve_sparsity: keep what is zero; zero is then one of the values.
            seed: of the start.
        """
        super().__init__(layer, clusters, preserve_sparsity=preserve_sparsity, cluster_per_channel=True)
        self.init = init
        self.seed = seed

    def build(self, input_shape: tf.TensorShape) -> None:
        """Chooses the centroids, float32 [channels, clusters], and remembers where the kernel is zero."""
        tf_keras.layers.Wrapper.build(self, input_shape)
        self.build_input_shape = input_shape
        kernel = self.layer.kernel
        # What TF-MOT's function that strips a model looks for.
        self.original_clusterable_weights[_KERNEL] = self.original_kernel = kernel
        at = next(index for index, weight in enumerate(self.layer.weights) if weight is kernel)
        self.position_original_weights[at] = _KERNEL

        weights = kernel.numpy()
        start = start_centroids(
            rows_of(weights, channel_axes=(weights.ndim - 1,)),
            self.number_of_clusters - self.preserve_sparsity,
            init=self.init,
            keep_zeros=self.preserve_sparsity,
            seed=self.seed,
        )
        self.centroids = self.add_weight(
            "centroids", shape=start.shape, initializer=tf_keras.initializers.Constant(start), trainable=True
        )
        self.algorithm = ClusteringAlgorithm(self.centroids)
        # Which weights are not zero.
        self.others = tf.constant(weights != 0, kernel.dtype)

    def update_clustered_weights_associations(self) -> None:
        """Gives the layer the kernel of nearest centroids; gradients go to these and to the kernel behind it."""
        weights = tf.reshape(self.original_kernel, [-1, self.centroids.shape[0]])
        nearest = tf.argmin(tf.abs(tf.transpose(weights)[:, :, None] - self.centroids[:, None]), axis=-1)
        clustered = tf.transpose(tf.gather(self.centroids, nearest, batch_dims=1))
        shaped = tf.reshape(clustered, self.original_kernel.shape)
        kernel = self.algorithm.add_gradient_to_original_weight(shaped, tf.identity(self.original_kernel))
        self.set_weight_to_layer(_KERNEL, kernel * self.others if self.preserve_sparsity else kernel)
