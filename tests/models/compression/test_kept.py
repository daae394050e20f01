import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from roadworthy.models.compression.kept import find_kept, most_values
from roadworthy.models.compression.recipe import Step

SHAPE = (3, 1, 2, 4)
CLUSTERED = arrays(np.float32, SHAPE, elements=st.sampled_from([-0.5, 0.0, 0.25, 1.0]))
TRAINED = arrays(np.float32, SHAPE, elements=st.floats(-2, 2, width=32))


def test_a_kernel_may_hold_a_zero_beside_its_clusters():
    steps = [Step.model_validate({"prune": {}}), Step.model_validate({"cluster": {"clusters": 8}})]
    assert most_values(steps) == 9
    assert most_values(steps[:1]) == 0


@given(CLUSTERED, TRAINED)
def test_after_training_equal_weights_are_equal_again_and_zeros_are_zero(kernel, trained):
    kept = find_kept(kernel, channel_axes=(3,), most=4)
    assert kept is not None
    projected = kept.project(trained).numpy()
    assert np.all(projected[kernel == 0] == 0)
    for value in (-0.5, 0.25, 1.0):
        members = kernel == value
        if members.any():
            np.testing.assert_allclose(projected[members], trained[members].mean(), atol=1e-5)
            assert len(np.unique(projected[members])) == 1


@given(CLUSTERED, TRAINED)
def test_projecting_twice_is_projecting_once(kernel, trained):
    kept = find_kept(kernel, channel_axes=(3,), most=4)
    assert kept is not None
    once = kept.project(trained).numpy()
    np.testing.assert_allclose(kept.project(once).numpy(), once, atol=1e-6)


def test_clusters_of_each_channel_are_kept_channel_by_channel():
    channels = np.arange(4, dtype=np.float32)
    kernel = np.array([0.0, 1.0, 2.0], np.float32)[:, None, None, None] * (1 + channels) + np.zeros(SHAPE, np.float32)
    kept = find_kept(kernel, channel_axes=(3,), most=3)
    assert kept is not None
    assert not kept.whole
    trained = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    projected = kept.project(trained).numpy()
    np.testing.assert_allclose(projected[1, 0, :, 2], np.full(2, trained[1, 0, :, 2].mean()), rtol=1e-5)
    assert np.all(projected[0] == 0)


def test_a_kernel_of_more_values_has_none_to_keep():
    kernel = np.arange(24, dtype=np.float32).reshape(SHAPE)
    assert find_kept(kernel, channel_axes=(3,), most=5) is None
