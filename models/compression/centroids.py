"""Where the centroids of clustering by channel start: all output channels of a kernel at once."""

from collections.abc import Callable
from typing import Final

import numpy as np

_LOWEST_QUANTILE: Final = 0.01

Init = Callable[[np.ndarray, np.ndarray, int, np.random.Generator], np.ndarray]


def start_centroids(rows: np.ndarray, clusters: int, *, init: str, keep_zeros: bool, seed: int) -> np.ndarray:
    """Chooses the centroids of every output channel from its own weights.

    Args:
        rows: float [channels, weights a channel].
        clusters: how many, from 1.
        init: `kmeans++`, `linear`, `density` or `random`, as the recipe has it.
        keep_zeros: leave weights that are zero out of the choice. A channel without others gets centroids of zero.
        seed: of what is drawn.

    Returns:
        float32 [channels, clusters]. A channel with fewer different weights than clusters has some of them twice.
    """
    taken = rows != 0 if keep_zeros else np.ones(rows.shape, dtype=bool)
    taken |= ~taken.any(axis=1, keepdims=True)
    started: np.ndarray = _INITS[init](rows, taken, clusters, np.random.default_rng(seed))
    return started.astype(np.float32)


def _kmeans_plus_plus(rows: np.ndarray, taken: np.ndarray, clusters: int, rng: np.random.Generator) -> np.ndarray:
    """Arthur and Vassilvitskii 2007: each next one is a weight, likelier the further from the others."""
    chosen = [_draw(rows, taken.astype(float), rng)]
    odds = taken * np.square(rows - chosen[0][:, None])
    while len(chosen) < clusters:
        chosen.append(_draw(rows, odds, rng))
        odds = np.minimum(odds, np.square(rows - chosen[-1][:, None]))
    return np.stack(chosen, axis=1)


def _draw(rows: np.ndarray, odds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A weight of every channel, drawn by its odds; the channel's first where all odds are zero."""
    below = np.cumsum(odds, axis=1)
    at = np.argmax(below > rng.random((len(rows), 1)) * below[:, -1:], axis=1)
    drawn: np.ndarray = rows[np.arange(len(rows)), at]
    return drawn


def _linear(rows: np.ndarray, taken: np.ndarray, clusters: int, _: np.random.Generator) -> np.ndarray:
    return np.linspace(*_range(rows, taken), clusters, axis=1)


def _density(rows: np.ndarray, taken: np.ndarray, clusters: int, _: np.random.Generator) -> np.ndarray:
    """Quantiles: as many weights between two centroids as between any two others."""
    at = np.linspace(_LOWEST_QUANTILE, 1, clusters)
    return np.stack([np.quantile(row[take], at) for row, take in zip(rows, taken, strict=True)])


def _random(rows: np.ndarray, taken: np.ndarray, clusters: int, rng: np.random.Generator) -> np.ndarray:
    low, high = _range(rows, taken)
    drawn: np.ndarray = low[:, None] + (high - low)[:, None] * rng.random((len(rows), clusters))
    return drawn


def _range(rows: np.ndarray, taken: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.where(taken, rows, np.inf).min(axis=1), np.where(taken, rows, -np.inf).max(axis=1)


_INITS: Final[dict[str, Init]] = {
    "kmeans++": _kmeans_plus_plus,
    "linear": _linear,
    "density": _density,
    "random": _random,
}
