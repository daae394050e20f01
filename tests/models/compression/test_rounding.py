import keras
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from roadworthy.models.batch_norm import batch_norms, reestimate
from roadworthy.models.compression import rounding
from roadworthy.models.compression.rounding import correct_rounding, round_kernel

KERNELS = arrays(np.float32, (3, 3, 2, 4), elements=st.floats(-8, 8, width=32))


@given(KERNELS)
@example(np.full((3, 3, 2, 4), 1e-45, np.float32))
def test_rounding_moves_a_weight_by_half_a_step_at_most(kernel):
    step = np.abs(kernel).max(axis=(0, 1, 2), keepdims=True) / 127

    assert np.all(np.abs(round_kernel(kernel, shared_axes=(0, 1, 2)) - kernel) <= step * 0.5001 + 1e-12)


@given(KERNELS)
def test_a_rounded_kernel_has_255_levels_a_channel_and_keeps_its_zeros(kernel):
    rounded = round_kernel(kernel, shared_axes=(0, 1, 2))

    assert all(len(np.unique(rounded[..., channel])) <= 255 for channel in range(4))
    assert np.all(rounded[kernel == 0] == 0)


@pytest.mark.parametrize("kind", ["conv", "depthwise"])
def test_outputs_keep_their_mean_though_the_weights_are_rounded(kind, images):
    model = coarse_model(kind, images)
    rounded = keras.models.clone_model(model)
    rounded.set_weights(model.get_weights())
    axes = (0, 1, 2) if kind == "conv" else (0, 1)
    rounded.layers[0].kernel.assign(round_kernel(rounded.layers[0].kernel.numpy(), shared_axes=axes))
    exact = mean_output(model, images)

    correct_rounding(model, images)

    shift = np.abs(mean_output(rounded, images) - exact).max()
    assert shift > 0.001
    assert np.abs(mean_output(model, images) - exact).max() < 0.2 * shift


def test_a_correction_that_brings_answers_no_closer_is_taken_back(images, monkeypatch):
    model = coarse_model("conv", images)
    (norm,) = batch_norms(model)
    before = norm.moving_mean.numpy()
    # Statistics of other data than the model is used on, as frozen ones are.
    monkeypatch.setattr(rounding, "_reestimate", lambda model, images: norm.moving_mean.assign_add(np.ones(8)))

    correct_rounding(model, images)

    np.testing.assert_array_equal(norm.moving_mean.numpy(), before)


def coarse_model(kind: str, images) -> keras.Model:
    """One weight a channel is much larger than the others, so that those are rounded hard."""
    layer = keras.layers.Conv2D(8, 3) if kind == "conv" else keras.layers.DepthwiseConv2D(3, depth_multiplier=2)
    model = keras.Sequential(
        [keras.Input((images.height, images.width, 3)), layer, keras.layers.BatchNormalization(momentum=0.9)]
    )
    kernel = np.random.default_rng(4).uniform(-0.02, 0.02, layer.kernel.shape).astype(np.float32)
    kernel[0, 0] = 1.0
    layer.kernel.assign(kernel)
    reestimate(model, (batch for batch, _ in images.batches().as_numpy_iterator()))
    return model


def mean_output(model: keras.Model, images) -> np.ndarray:
    outputs = [model(batch).numpy() for batch, _ in images.batches().as_numpy_iterator()]
    return np.concatenate(outputs).mean(axis=(0, 1, 2))


def test_a_model_without_batch_normalisation_is_only_rounded(images):
    layer = keras.layers.Conv2D(4, 3)
    model = keras.Sequential([keras.Input((images.height, images.width, 3)), layer])
    kernel = layer.kernel.numpy()

    correct_rounding(model, images)

    np.testing.assert_array_equal(layer.kernel.numpy(), round_kernel(kernel, shared_axes=(0, 1, 2)))
