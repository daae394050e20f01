import logging

import keras
import numpy as np
import pytest
import tf_keras

from contracts.recipe import SIDE
from roadworthy.models.compression.prune import check_sparsity, prune
from roadworthy.models.compression.recipe import Prune
from roadworthy.models.compression.training_images import TrainingImages
from roadworthy.serving.errors import DataError, ModelError

PRUNED = ("backbone/stem/conv", "backbone/project", "scores")


@pytest.fixture(scope="module")
def weights_before_and_after(parent_file, train_files):
    from roadworthy.models.export import load_keras

    model = load_keras(parent_file)
    before = named_weights(model)
    images = TrainingImages(train_files, height=SIDE, width=SIDE, batch_size=8, seed=1)
    after = named_weights(prune(model, Prune(sparsity=0.75, epochs=1), images))
    return before, after


@pytest.mark.parametrize("layer", PRUNED)
def test_kernels_of_convolutions_and_dense_layers_reach_the_sparsity(layer, weights_before_and_after):
    _, after = weights_before_and_after
    kernel = after[f"{layer}/kernel"]
    assert np.mean(kernel == 0) == pytest.approx(0.75, abs=0.01 + 1 / kernel.size)


def test_depthwise_kernels_and_normalisation_keep_all_their_weights(weights_before_and_after):
    _, after = weights_before_and_after
    left_alone = ("backbone/depthwise/kernel", "backbone/stem/bn/gamma", "backbone/stem/bn/moving_variance")
    assert all(np.all(after[name] != 0) for name in left_alone)


def test_what_is_left_is_fine_tuned(weights_before_and_after):
    before, after = weights_before_and_after
    kept = after["backbone/project/kernel"] != 0
    assert np.any(before["backbone/project/kernel"][kept] != after["backbone/project/kernel"][kept])


def test_one_step_of_training_is_enough_to_reach_the_sparsity(parent, train_files):
    images = TrainingImages(train_files, height=SIDE, width=SIDE, batch_size=64, seed=1)
    kernel = named_weights(prune(parent, Prune(sparsity=0.5), images))["backbone/project/kernel"]
    assert np.mean(kernel == 0) == pytest.approx(0.5, abs=0.01)


def test_the_log_says_what_is_left_alone(parent, images, caplog):
    with caplog.at_level(logging.INFO, logger="roadworthy.models.compression.prune"):
        prune(parent, Prune(sparsity=0.5), images)
    assert "3 layers; left alone: backbone/stem/bn, backbone/depthwise" in caplog.text


def test_an_empty_split_is_named(parent, no_images):
    with pytest.raises(DataError, match=r"at least one image.*empty|\.gz"):
        prune(parent, Prune(sparsity=0.5), no_images)


def test_a_kernel_short_of_its_sparsity_is_named():
    model = tf_keras.Sequential([tf_keras.layers.Dense(20, input_shape=(20,), name="dense")])
    kernel, bias = model.get_layer("dense").get_weights()
    kernel.flat[:190] = 0
    model.get_layer("dense").set_weights([kernel, bias])
    check_sparsity(model, sparsity=0.475)
    with pytest.raises(ModelError, match=r"'dense' must reach a sparsity of 0.5 .* 0.4750"):
        check_sparsity(model, sparsity=0.5)


def test_a_model_without_kernels_is_refused(images):
    image = keras.Input((SIDE, SIDE, 3), name="image")
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))
    with pytest.raises(ModelError, match="must have a Conv2D or Dense layer"):
        prune(model, Prune(sparsity=0.5), images)


def named_weights(model: keras.Model) -> dict[str, np.ndarray]:
    from roadworthy.models.bridge.graph import leaves

    return {
        f"{path}/{weight.name}": weight.numpy()
        for path, layer in leaves(model).items()
        for weight in getattr(layer, "weights", [])
    }
