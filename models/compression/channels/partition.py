"""Channels of a whole network by number, and which of them can only stay or leave together."""

import numpy as np
import numpy.typing as npt

Channels = npt.NDArray[np.int64]


class Partition:
    """Disjoint sets of channels; a set may be pinned, which says why its channels have to stay.

    Reference: Tarjan and van Leeuwen 1984, "Worst-case Analysis of Set Union Algorithms" (path halving).
    """

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._reasons: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._parents)

    def new(self, count: int) -> Channels:
        """Numbers for channels that nothing is known of yet."""
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return np.arange(first, first + count)

    def join(self, here: Channels, there: Channels) -> None:
        """Couples the channels of two arrays of one length, place by place."""
        for one, other in zip(here.tolist(), there.tolist(), strict=True):
            root, joined = self._root(one), self._root(other)
            if root != joined:
                self._parents[joined] = root
                if joined in self._reasons:
                    self._reasons.setdefault(root, self._reasons.pop(joined))

    def pin(self, channels: Channels, reason: str) -> None:
        """Makes channels stay, with all that are or will be coupled to them; the first reason is kept."""
        for channel in channels.tolist():
            self._reasons.setdefault(self._root(channel), reason)

    def roots(self, channels: Channels) -> Channels:
        """For every channel the number that stands for its set."""
        return np.array([self._root(channel) for channel in channels.tolist()], dtype=np.int64)

    def reason(self, root: int) -> str | None:
        """Why a set, by the number that stands for it, has to stay; None if it may leave."""
        return self._reasons.get(root)

    def _root(self, channel: int) -> int:
        parents = self._parents
        while parents[channel] != channel:
            parents[channel] = parents[parents[channel]]
            channel = parents[channel]
        return channel
