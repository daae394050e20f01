"""Chooses the channels to remove: the weakest of every group."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import keras
import numpy as np
import numpy.typing as npt

from roadworthy.models.bridge.graph import leaves
from roadworthy.models.compression.channels.coupling import Coupling
from roadworthy.models.compression.channels.groups import Group, find_groups, strengths
from roadworthy.models.compression.layer_patterns import check_patterns
from roadworthy.models.compression.recipe import Channels as Settings
from roadworthy.models.compression.recipe import matches
from roadworthy.models.compression.record import Skipped
from roadworthy.serving.errors import ModelError

# As many as an error names before it becomes unreadable.
_TOLD: Final = 3


@dataclass(frozen=True)
class Cut:
    """A group and how many of its channels are left, fewer than it has."""

    group: Group
    left: int


@dataclass(frozen=True)
class Plan:
    """What stays of a network.

    Attributes:
        stays: for every channel by its number whether it stays, bool.
        cuts: the groups that lose channels.
        skipped: the layers that make channels and lose none, and why.
    """

    stays: npt.NDArray[np.bool_]
    cuts: tuple[Cut, ...]
    skipped: tuple[Skipped, ...]


def make_plan(model: keras.Model, coupling: Coupling, settings: Settings) -> Plan:
    """Chooses what to remove.

    Raises:
        ModelError: nothing can be removed, or a pattern fits no layer; the message says why and what to change.
    """
    cuts: list[Cut] = []
    reasons = _pinned(coupling)
    for group in find_groups(coupling):
        left = count_left(len(group.roots), remove=settings.remove, multiple_of=settings.multiple_of)
        reason = _reason(group, settings, left=left)
        if reason is None:
            cuts.append(Cut(group, left))
        else:
            reasons |= {path: reasons.get(path, reason) for path in group.makers}
    if not cuts:
        raise _nothing(settings, reasons)
    check_patterns(settings, list(leaves(model)))
    cut = {path for cut in cuts for path in cut.group.makers}
    skipped = tuple(Skipped(layer=path, reason=reason) for path, reason in reasons.items() if path not in cut)
    return Plan(_stays(cuts, strengths(model, coupling), coupling), tuple(cuts), skipped)


def count_left(size: int, *, remove: float, multiple_of: int) -> int:
    """How many of a group's channels stay: the nearest multiple of `multiple_of`, of two the larger, at least one.

    A group of fewer channels than `multiple_of` keeps the nearest whole number.
    """
    unit = multiple_of if size >= multiple_of else 1
    nearest = int(np.floor(size * (1 - remove) / unit + 0.5)) * unit
    return min(size, max(unit, nearest))


def _stays(cuts: list[Cut], strength: npt.NDArray[np.float64], coupling: Coupling) -> npt.NDArray[np.bool_]:
    stays = np.ones(len(coupling.partition), bool)
    for cut in cuts:
        roots = cut.group.roots
        weakest_first = roots[np.argsort(strength[roots], kind="stable")]
        stays[weakest_first[: len(roots) - cut.left]] = False
    every: npt.NDArray[np.bool_] = stays[coupling.partition.roots(np.arange(len(stays)))]
    return every


def _pinned(coupling: Coupling) -> dict[str, str]:
    """The layers that make channels which have to stay, and why."""
    reasons = {}
    for path in coupling.makers:
        roots = coupling.partition.roots(coupling.ports[path].given).tolist()
        reason = next(filter(None, map(coupling.partition.reason, roots)), None)
        if reason is not None:
            reasons[path] = reason
    return reasons


def _reason(group: Group, settings: Settings, *, left: int) -> str | None:
    """Why a group that may lose channels loses none; None if it does."""
    kept = next((path for path in group.members if matches(path, settings.skip)), None)
    if kept is not None:
        return f"`skip` leaves {kept!r} alone, which has the same channels"
    if not any(matches(path, settings.layers) for path in group.members):
        return "`layers` does not choose it"
    if left == len(group.roots):
        return f"its {left} channels less {settings.remove:g} are {left} in multiples of {settings.multiple_of}"
    return None


def _nothing(settings: Settings, reasons: Mapping[str, str]) -> ModelError:
    told = "; ".join(f"{path}: {reason}" for path, reason in list(reasons.items())[:_TOLD])
    return ModelError(
        f"The step channels must have a channel to remove. Received: remove {settings.remove:g}, multiple_of "
        f"{settings.multiple_of} and a model without one ({told or 'no layer of it makes channels'}). "
        "Raise remove, lower multiple_of, or let layers and skip choose more."
    )
