import keras
import numpy as np
import pytest

from contracts.recipe import SIDE
from roadworthy.models.batch_norm import batch_norms
from roadworthy.models.compression.agreement import ask
from roadworthy.models.compression.convert import convert, network
from roadworthy.models.compression.flatbuffer import int8_kernels
from roadworthy.models.compression.kernels import kernel_rows, layers_with_kernel
from roadworthy.models.compression.recipe import Quantize
from roadworthy.models.compression.rounding import round_kernel
from roadworthy.models.compression.shared_scale import share_scales

CODEBOOK = np.array([-0.6, -0.1, 0, 0.25, 0.4], np.float32)


@pytest.fixture(scope="module")
def clustered(parent_file):
    """The parent with convolutions and the dense layer of five values, and a normalisation that turns channels over."""
    from roadworthy.models.export import load_keras

    model = load_keras(parent_file)
    for path in ("backbone/stem/conv", "backbone/project", "scores"):
        kernel = layers_with_kernel(model)[path].kernel
        values = CODEBOOK[np.abs(kernel.numpy()[..., None] - CODEBOOK).argmin(axis=-1)]
        # No channel but the first has the largest value.
        values[..., 1:] = np.where(values[..., 1:] == CODEBOOK[0], CODEBOOK[1], values[..., 1:])
        values.flat[0] = CODEBOOK[0]
        kernel.assign(round_kernel(values, shared_axes=tuple(range(values.ndim))))
    (norm,) = batch_norms(model)
    norm.gamma.assign(norm.gamma.numpy() * np.tile([1, -1], 8))
    return model


@pytest.fixture(scope="module")
def before_and_after(clustered, train_files):
    from roadworthy.models.compression.training_images import TrainingImages

    images = TrainingImages(train_files, height=SIDE, width=SIDE, batch_size=8, seed=1)
    before = convert(network(clustered), Quantize(), calibration=images.sample(20))
    rows = kernel_rows(clustered)
    wanted = [rows[path] for path in ("backbone/stem/conv", "backbone/project", "scores")]
    sample = np.concatenate(list(images.sample(20).as_numpy_iterator()))
    return before, share_scales(before, wanted), sample


def distinct(flatbuffer):
    """Values of each whole kernel, but for their sign: a negative gamma turns a channel over."""
    return [len(np.unique(np.abs(rows.astype(int)))) for rows in int8_kernels(flatbuffer)]


def test_a_cluster_is_one_value_in_all_channels(before_and_after):
    before, after, _ = before_and_after
    stem, depthwise, project, scores = distinct(after)
    assert max(stem, project, scores) <= len(CODEBOOK)
    assert max(distinct(before)[0], distinct(before)[2]) > len(CODEBOOK)
    assert depthwise == distinct(before)[1]


def test_answers_stay_what_they_were(before_and_after):
    before, after, sample = before_and_after
    assert after != before
    np.testing.assert_allclose(ask(after, sample), ask(before, sample), atol=0.02)


def test_a_kernel_that_the_file_does_not_have_changes_nothing(before_and_after):
    before, _, _ = before_and_after
    other = np.random.default_rng(2).normal(size=(16, 16)).astype(np.float32)
    assert share_scales(before, [other, np.zeros((3, 3), np.float32)]) == before


def test_a_shared_layer_is_left_as_it_is(images):
    layer = keras.layers.Conv2D(4, 3, padding="same", name="shared")
    image = keras.Input((SIDE, SIDE, 4), name="image")
    pooled = keras.layers.GlobalAveragePooling2D()(layer(layer(image)))
    model = keras.Model(image, keras.layers.Dense(2, activation="softmax")(pooled))
    kernel = round_kernel(layer.kernel.numpy(), shared_axes=(0, 1, 2, 3))
    layer.kernel.assign(kernel)
    pictures = images.sample(4).map(lambda batch: batch[..., :1] * [[[[1.0, 0.5, 0.2, 0.1]]]])
    file = convert(network(model), Quantize(), calibration=pictures)
    assert share_scales(file, [kernel_rows(model)["shared"]]) == file
