import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from contracts.recipe import LABELS, SIDE
from roadworthy.models.bridge.graph import leaves
from roadworthy.models.compression.cluster import check_kernel, cluster
from roadworthy.models.compression.made import Bench
from roadworthy.models.compression.prune import prune
from roadworthy.models.compression.recipe import Cluster, Prune, Step
from roadworthy.models.compression.tf_mot import load_tf_mot
from roadworthy.models.compression.training_images import TrainingImages
from roadworthy.models.export import KERAS_FILE, load_keras, save_keras
from roadworthy.serving.contract import ModelCard
from roadworthy.serving.errors import DataError, ModelError

CLUSTERED = ("backbone/stem/conv", "backbone/project", "scores")
INITS = ("kmeans++", "linear", "density", "random")
PRUNE = Prune(sparsity=0.5)


def kernels(model: keras.Model) -> dict[str, np.ndarray]:
    return {path: leaf.kernel.numpy() for path, leaf in leaves(model).items() if path in CLUSTERED}


def values_in(kernel: np.ndarray, *, per_channel: bool) -> int:
    if per_channel and kernel.ndim == 4:
        return max(len(np.unique(channel)) for channel in np.moveaxis(kernel, -1, 0))
    return len(np.unique(kernel))


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("init", INITS)
def test_a_kernel_holds_no_more_values_than_clusters(parent, bench, init, per_channel):
    made = cluster(parent, Cluster(clusters=4, init=init, per_channel=per_channel), bench)
    for kernel in kernels(made.model).values():
        assert 1 < values_in(kernel, per_channel=per_channel) <= 4


@pytest.fixture(scope="module")
def pruned_file(parent_file, train_files, tmp_path_factory):
    images = TrainingImages(train_files, height=SIDE, width=SIDE, batch_size=8, seed=1)
    card = ModelCard(labels=LABELS, image_height=SIDE, image_width=SIDE)
    parent = load_keras(parent_file)
    made = prune(parent, PRUNE, Bench(images=images, card=card, earlier=(), teacher=lambda: parent))
    path = tmp_path_factory.mktemp("pruned") / KERAS_FILE
    save_keras(made.model, path)
    return path


@pytest.fixture
def pruned(pruned_file):
    return load_keras(pruned_file)


@pytest.fixture
def after_prune(bench):
    return dataclasses.replace(bench, earlier=(Step(prune=PRUNE),))


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("init", INITS)
def test_zeros_that_a_prune_step_made_stay_zero(pruned, after_prune, init, per_channel):
    before = kernels(pruned)

    made = cluster(pruned, Cluster(clusters=4, init=init, per_channel=per_channel), after_prune)

    for path, kernel in kernels(made.model).items():
        assert np.any(before[path] == 0)
        assert np.all(kernel[before[path] == 0] == 0)
        assert values_in(kernel, per_channel=per_channel) <= 5


def test_zeros_of_layers_that_are_not_clustered_stay_zero_too(pruned, after_prune):
    before = kernels(pruned)

    made = cluster(pruned, Cluster(clusters=4, layers=("scores",)), after_prune)

    for path, kernel in kernels(made.model).items():
        assert np.all(kernel[before[path] == 0] == 0)
        assert np.any(kernel != before[path])


@pytest.mark.parametrize("init", INITS)
def test_a_channel_with_fewer_weights_left_than_clusters_or_none_is_no_obstacle(pruned, after_prune, init):
    stem = leaves(pruned)["backbone/stem/conv"]
    sparse = stem.kernel.numpy()
    sparse[..., 0] = 0
    sparse[..., 1].flat[1:] = 0
    stem.kernel.assign(sparse)

    made = cluster(pruned, Cluster(clusters=4, init=init, per_channel=True), after_prune)

    assert np.all(kernels(made.model)["backbone/stem/conv"][sparse == 0] == 0)


def test_by_channel_the_graph_does_not_grow_with_the_channels():
    load_tf_mot()
    from roadworthy.models.compression.cluster_by_channel import ClusterByChannel

    def operations(channels: int) -> int:
        layer = tf_keras.layers.Conv2D(channels, 3)
        layer.build([None, 8, 8, 4])
        wrapped = ClusterByChannel(layer, 4, init="linear", preserve_sparsity=True, seed=1)
        wrapped.build(tf.TensorShape([None, 8, 8, 4]))
        traced = tf.function(wrapped.call).get_concrete_function(tf.TensorSpec([None, 8, 8, 4]))
        return len(traced.graph.get_operations())

    assert operations(64) == operations(8)


def test_clusters_survive_the_keras_file_bit_for_bit(parent, bench, tmp_path):
    made = cluster(parent, Cluster(clusters=8), bench)
    save_keras(made.model, tmp_path / "model.keras")
    for path, kernel in kernels(load_keras(tmp_path / "model.keras")).items():
        np.testing.assert_array_equal(kernel, kernels(made.model)[path])


def test_what_is_left_alone_is_listed_with_the_reason(parent, bench):
    made = cluster(parent, Cluster(clusters=64, skip=("backbone/stem/*",)), bench)
    reasons = {one.layer: one.reason for one in made.skipped}
    assert "few weights" in reasons["backbone/depthwise"]
    assert reasons["scores"] == "its 32 weights are no more than the 64 clusters"
    assert reasons["backbone/stem/conv"] == "the recipe's layers and skip leave it out"
    assert made.notes == ("1 kernels hold at most 64 values each.",)


@pytest.mark.parametrize("init", INITS)
def test_a_layer_with_no_more_weights_left_than_clusters_is_left_alone(pruned, after_prune, init):
    scores = leaves(pruned)["scores"]
    sparse = np.zeros(scores.kernel.shape, dtype=np.float32)
    sparse.flat[:3] = (1, -1, 0.5)
    scores.kernel.assign(sparse)

    made = cluster(pruned, Cluster(clusters=4, init=init), after_prune)

    reasons = {one.layer: one.reason for one in made.skipped}
    assert reasons["scores"] == "its 3 weights that are not zero are no more than the 4 clusters"
    assert np.all(kernels(made.model)["scores"][sparse == 0] == 0)


def test_a_kernel_with_more_values_or_fewer_zeros_is_named():
    settings = Cluster(clusters=2)
    kernel = np.array([[0.0, 1.0], [2.0, 1.0]])
    check_kernel("dense", kernel, settings, zeros=kernel == 0)
    with pytest.raises(ModelError, match=r"'dense' must hold at most 2 values .* Received: 3"):
        check_kernel("dense", kernel, settings, zeros=None)
    with pytest.raises(ModelError, match=r"'dense' must keep its zeros. Received: 1 lost"):
        check_kernel("dense", kernel, settings, zeros=np.array([[True, False], [True, False]]))


def test_patterns_that_fit_no_layer_are_an_error(parent, bench):
    with pytest.raises(ModelError, match="must have a layer for clustering"):
        cluster(parent, Cluster(layers=("head",)), bench)
    with pytest.raises(ModelError, match=r"must fit a layer.*\['score'\]\. Did you mean 'scores'\?"):
        cluster(parent, Cluster(skip=("score",)), bench)


def test_an_empty_split_is_named(parent, bench, no_images):
    with pytest.raises(DataError, match="at least one image"):
        cluster(parent, Cluster(), dataclasses.replace(bench, images=no_images))
