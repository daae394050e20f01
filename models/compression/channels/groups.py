"""Groups the channels of a network by the layers that make them, and ranks them."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import keras
import numpy as np
import numpy.typing as npt

from roadworthy.models.bridge.graph import leaves
from roadworthy.models.compression.channels.coupling import Coupling
from roadworthy.models.compression.channels.partition import Channels
from roadworthy.models.compression.kernels import CHANNEL_AXES, rows_of

# The kernel that makes or filters a layer's output channels, and its axes that count them.
_KERNELS: Final[dict[type, tuple[str, tuple[int, ...]]]] = {
    **{kind: ("kernel", axes) for kind, axes in CHANNEL_AXES.items()},
    keras.layers.SeparableConv2D: ("pointwise_kernel", (3,)),
}


@dataclass(frozen=True)
class Group:
    """Channels that may leave and are made by the same layers.

    Attributes:
        makers: paths of the layers that make them.
        members: paths of all layers with weights that give them: depthwise convolutions and normalisations as well.
        roots: for each channel of the group the number of its set of coupled channels.
    """

    makers: tuple[str, ...]
    members: tuple[str, ...]
    roots: Channels


def find_groups(coupling: Coupling) -> list[Group]:
    """All channels that may leave in groups, in the network's order."""
    givers: dict[int, list[str]] = defaultdict(list)
    for path, ports in coupling.ports.items():
        for root in np.unique(coupling.partition.roots(ports.given)).tolist():
            givers[root].append(path)
    roots_made: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for root, paths in givers.items():
        makers = tuple(path for path in paths if path in coupling.makers)
        if makers and coupling.partition.reason(root) is None:
            roots_made[makers].append(root)
    return [Group(makers, _union(givers, roots), np.array(roots)) for makers, roots in roots_made.items()]


def strengths(model: keras.Model, coupling: Coupling) -> npt.NDArray[np.float64]:
    """The importance of every set of coupled channels: the L1 norms of the kernels that make or filter them, summed.

    Each kernel's norms are divided by their mean first, so that layers coupled by an `Add` have one vote each.

    Returns:
        By the number of a set's root; 0 elsewhere.

    References:
        Li et al. 2017, "Pruning Filters for Efficient ConvNets", section 3.1, https://arxiv.org/abs/1608.08710.
        Fang et al. 2023, "DepGraph", section 3.3, https://arxiv.org/abs/2301.12900, for the sum over a group.
    """
    total = np.zeros(len(coupling.partition))
    for path, layer in leaves(model).items():
        if path not in coupling.ports or type(layer) not in _KERNELS:
            continue
        name, axes = _KERNELS[type(layer)]
        norms = np.abs(rows_of(getattr(layer, name).numpy(), channel_axes=axes)).sum(axis=1, dtype=np.float64)
        if norms.any():
            np.add.at(total, coupling.partition.roots(coupling.ports[path].given), norms / norms.mean())
    return total


def _union(givers: dict[int, list[str]], roots: list[int]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(path for root in roots for path in givers[root]))
