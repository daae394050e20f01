import numpy as np
import pytest

from roadworthy.models.compression.centroids import start_centroids

INITS = ("kmeans++", "linear", "density", "random")
ROWS = np.random.default_rng(1).normal(size=(5, 40)).astype(np.float32)


def start(rows: np.ndarray, *, init: str, clusters: int = 6, keep_zeros: bool = False) -> np.ndarray:
    return start_centroids(rows, clusters, init=init, keep_zeros=keep_zeros, seed=1)


@pytest.mark.parametrize("init", INITS)
def test_every_channel_starts_within_its_own_weights(init):
    shifted = ROWS + 100 * np.arange(len(ROWS), dtype=np.float32)[:, None]
    centroids = start(shifted, init=init)
    assert centroids.shape == (5, 6)
    assert centroids.dtype == np.float32
    assert np.all(centroids >= shifted.min(axis=1, keepdims=True))
    assert np.all(centroids <= shifted.max(axis=1, keepdims=True))
    assert all(len(np.unique(row)) == 6 for row in centroids)


@pytest.mark.parametrize("init", INITS)
def test_zeros_are_left_out_and_channels_of_nothing_else_stay_zero(init):
    rows = np.abs(ROWS) + 1
    rows[:, ::2] = 0
    rows[2] = 0
    rows[3, 1:] = 0
    rows[3, 7] = 5.0
    centroids = start(rows, init=init, keep_zeros=True)
    assert np.all(centroids[[0, 1, 4]] >= 1)
    assert np.all(centroids[2] == 0)
    assert 5.0 in centroids[3]


def test_kmeans_takes_the_weights_themselves_and_each_of_a_few_once():
    rows = np.tile(np.array([[1, 2, 3, 4]], dtype=np.float32), (3, 25))
    np.testing.assert_array_equal(np.sort(start(rows, init="kmeans++", clusters=4)), [[1, 2, 3, 4]] * 3)
    assert np.all(np.isin(start(rows, init="kmeans++", clusters=9), [1, 2, 3, 4]))


def test_linear_and_density_divide_range_and_weights():
    row = np.array([[0, 1, 1, 1, 1, 1, 1, 1, 1, 10]], dtype=np.float32)
    np.testing.assert_allclose(start(row, init="linear", clusters=3), [[0, 5, 10]])
    np.testing.assert_allclose(start(row, init="density", clusters=3), [np.quantile(row, [0.01, 0.505, 1])], rtol=1e-6)


def test_the_same_seed_draws_the_same():
    for init in INITS:
        np.testing.assert_array_equal(start(ROWS, init=init), start(ROWS, init=init))
