import dataclasses

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.recipe import SIDE
from roadworthy.models.bridge.graph import leaves
from roadworthy.models.compression.patterns import block_sparsity, is_two_of_four, sparsity
from roadworthy.models.compression.prune import check_kernel, prune
from roadworthy.models.compression.recipe import Prune
from roadworthy.serving.errors import DataError, ModelError

PRUNED = ("backbone/stem/conv", "backbone/project", "scores")


def named_weights(model: keras.Model) -> dict[str, np.ndarray]:
    return {
        f"{path}/{weight.name}": weight.numpy()
        for path, layer in leaves(model).items()
        for weight in getattr(layer, "weights", [])
    }


@pytest.fixture
def pruned(parent, bench):
    return named_weights(parent), prune(parent, Prune(sparsity=0.75), bench)


def test_kernels_of_convolutions_and_dense_layers_reach_the_sparsity(pruned):
    after = named_weights(pruned[1].model)
    for layer in PRUNED:
        kernel = after[f"{layer}/kernel"]
        assert np.mean(kernel == 0) == pytest.approx(0.75, abs=0.01 + 1 / kernel.size)


def test_what_is_left_alone_is_listed_with_the_reason_and_keeps_its_weights(pruned):
    reasons = {one.layer: one.reason for one in pruned[1].skipped}
    assert "few weights" in reasons["backbone/depthwise"]
    assert reasons["backbone/stem/bn"] == "BatchNormalization has no kernel that is pruned"
    assert set(reasons) == {"backbone/depthwise", "backbone/stem/bn"}
    after = named_weights(pruned[1].model)
    assert all(np.all(after[name] != 0) for name in ("backbone/depthwise/kernel", "backbone/stem/bn/gamma"))


def test_what_is_left_is_fine_tuned_and_the_share_is_told(pruned):
    before, made = pruned
    after = named_weights(made.model)["backbone/project/kernel"]
    kept = after != 0
    assert np.any(before["backbone/project/kernel"][kept] != after[kept])
    assert made.notes[0].endswith("of the weights of 3 kernels are zero.")


@pytest.mark.parametrize("schedule", ["polynomial", "constant"])
def test_one_step_of_training_is_enough_to_reach_the_sparsity(parent, bench, schedule):
    one_step = dataclasses.replace(bench, images=dataclasses.replace(bench.images, batch_size=64))
    made = prune(parent, Prune(sparsity=0.5, schedule=schedule), one_step)
    assert sparsity(named_weights(made.model)["backbone/project/kernel"]) == pytest.approx(0.5, abs=0.01)


def test_two_of_four_holds_along_the_input_channels(parent, bench):
    after = named_weights(prune(parent, Prune(pattern="2:4"), bench).model)
    for layer in PRUNED:
        assert is_two_of_four(after[f"{layer}/kernel"])
    assert sparsity(after["backbone/project/kernel"]) == 0.5


def test_blocks_are_pruned_of_dense_kernels_and_convolutions_are_listed(parent, bench):
    made = prune(parent, Prune(sparsity=0.5, pattern="block", block_size=(4, 1)), bench)
    after = named_weights(made.model)
    assert block_sparsity(after["scores/kernel"], (4, 1)) == pytest.approx(0.5)
    assert sparsity(after["backbone/project/kernel"]) == 0
    reasons = {one.layer: one.reason for one in made.skipped}
    assert reasons["backbone/project"] == "TF-MOT prunes blocks of dense kernels only"


def test_patterns_of_paths_choose_layers(parent, bench):
    made = prune(parent, Prune(sparsity=0.5, layers=("backbone/*",), skip=("*/conv",)), bench)
    after = named_weights(made.model)
    assert sparsity(after["backbone/project/kernel"]) == pytest.approx(0.5, abs=0.01)
    assert sparsity(after["backbone/stem/conv/kernel"]) == sparsity(after["scores/kernel"]) == 0
    reasons = {one.layer: one.reason for one in made.skipped}
    assert reasons["scores"] == reasons["backbone/stem/conv"] == "the recipe's layers and skip leave it out"


def test_patterns_that_fit_no_layer_are_an_error_that_lists_them(parent, bench):
    with pytest.raises(ModelError, match=r"must have a layer for pruning.*backbone/project: the recipe's layers"):
        prune(parent, Prune(layers=("head/*",)), bench)


def test_a_model_without_kernels_is_refused(bench):
    image = keras.Input((SIDE, SIDE, 3), name="image")
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))
    with pytest.raises(ModelError, match=r"must have a layer for pruning\. Received: no layer has weights"):
        prune(model, Prune(sparsity=0.5), bench)


def test_an_empty_split_is_named(parent, bench, no_images):
    with pytest.raises(DataError, match=r"at least one image.*\.gz"):
        prune(parent, Prune(sparsity=0.5), dataclasses.replace(bench, images=no_images))


def test_a_kernel_short_of_its_sparsity_or_pattern_is_named():
    kernel = np.ones((20, 20), np.float32)
    kernel.flat[:190] = 0
    check_kernel("dense", kernel, Prune(sparsity=0.475))
    with pytest.raises(ModelError, match=r"'dense' must reach a sparsity of 0.5 .* 0.4750"):
        check_kernel("dense", kernel, Prune(sparsity=0.5))
    with pytest.raises(ModelError, match="'dense' must have two zeros in every four"):
        check_kernel("dense", kernel, Prune(pattern="2:4"))
    with pytest.raises(ModelError, match=r"'dense' must reach a sparsity of 0\.5"):
        check_kernel("dense", np.tile(np.eye(2), (10, 10)), Prune(pattern="block", block_size=(2, 2)))


@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 10**6))
def test_two_of_four_is_what_keeping_the_two_largest_gives(inputs, outputs, seed):
    weights = np.random.default_rng(seed).normal(size=(3, inputs, outputs))
    kernel = np.zeros_like(weights)
    for row, column in np.ndindex(3, outputs):
        for start in range(0, inputs, 4):
            group = weights[row, start : start + 4, column]
            keep = start + np.argsort(-np.abs(group))[:2]
            kernel[row, keep, column] = weights[row, keep, column]
    assert is_two_of_four(kernel)
    if inputs > 2:
        kernel[0, :3, 0] = 1
        assert not is_two_of_four(kernel)


@given(st.integers(1, 7), st.integers(1, 7), st.integers(1, 3), st.integers(1, 3), st.integers(0, 10**6))
def test_block_sparsity_counts_blocks_that_are_zero_as_a_whole(rows, columns, height, width, seed):
    mask = np.random.default_rng(seed).random((-(-rows // height), -(-columns // width))) < 0.5
    kernel = np.kron(mask, np.ones((height, width)))[:rows, :columns]
    assert block_sparsity(kernel, (height, width)) == pytest.approx(np.mean(~mask))
