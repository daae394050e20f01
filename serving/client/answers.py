"""What a client answers, besides numpy's arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Outputs(dict[str, np.ndarray]):
    """The outputs of a model by name; strings are object arrays of bytes.

    Attributes:
        version: the version that answered; None over REST, which doesn't say.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], *, version: int | None = None) -> None:
        super().__init__(arrays)
        self.version = version


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one image.

    Attributes:
        label: name of the class with the highest score.
        score: that score, a probability in [0, 1].
        scores: float32[classes], every class's score in the order of the model card's labels.
    """

    label: str
    score: float
    scores: np.ndarray


class ScoredLabel(NamedTuple):
    """One class of a `classify` answer."""

    label: str
    score: float


class VersionStatus(NamedTuple):
    """How one version of a model fares.

    Attributes:
        version: its number.
        state: ``START``, ``LOADING``, ``AVAILABLE``, ``UNLOADING`` or ``END``.
        code: ``OK``, or gRPC's name for why it isn't available.
        error: what went wrong; empty if nothing did.
    """

    version: int
    state: str
    code: str
    error: str
