"""What a protocol knows: the messages of each question, and what their answers mean."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from roadworthy.serving.client.answers import Outputs, ScoredLabel, VersionStatus
from roadworthy.serving.client.errors import InvalidRequest
from roadworthy.serving.client.steps import Exchange
from roadworthy.serving.servables.base import Signature, find_signature
from roadworthy.serving.status import RequestError


@dataclass(frozen=True)
class Target:
    """Who is asked: a model, and its version by number or by label; neither is the latest.

    Raises:
        InvalidRequest: no name, both version and label, or a version below 0.
    """

    model: str
    version: int | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        if not self.model:
            raise InvalidRequest("A model must have a name. Received: an empty one.", code="INVALID_ARGUMENT")
        if self.version is not None and self.label is not None:
            raise InvalidRequest(
                f"A request must name a version or a label. Received: both, {self.version} and {self.label}.",
                code="INVALID_ARGUMENT",
            )
        if self.version is not None and self.version < 0:
            raise InvalidRequest(f"A version must be >= 0. Received: {self.version}.", code="INVALID_ARGUMENT")


@dataclass(frozen=True)
class Examples:
    """What `classify` and `regress` are asked about: features by name, each a list of bytes, ints or floats."""

    examples: Sequence[Mapping[str, list[Any]]]
    context: Mapping[str, list[Any]] | None


class Wire(ABC):
    """One protocol. Its exchanges raise whatever an answer that can't be read makes Python raise."""

    def __init__(self) -> None:
        self._known: dict[Target, Mapping[str, Signature]] = {}

    @abstractmethod
    def predict(
        self, target: Target, signature: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]
    ) -> Exchange[Outputs]:
        """Asks for the outputs named, or for all."""

    @abstractmethod
    def classify(self, target: Target, signature: str, given: Examples) -> Exchange[list[list[ScoredLabel]]]:
        """Asks for the classes of each example."""

    @abstractmethod
    def regress(self, target: Target, signature: str, given: Examples) -> Exchange[np.ndarray]:
        """Asks for a number for each example."""

    @abstractmethod
    def metadata(self, target: Target) -> Exchange[dict[str, Signature]]:
        """Asks for the signatures."""

    @abstractmethod
    def status(self, target: Target) -> Exchange[list[VersionStatus]]:
        """Asks how the versions fare."""

    def signature(self, target: Target, name: str) -> Exchange[Signature]:
        """One signature, asked for once and kept until `forget`.

        Raises:
            InvalidRequest: the model has none of that name.
        """
        if target not in self._known:
            self._known[target] = yield from self.metadata(target)
        try:
            return find_signature(self._known[target], name)
        except RequestError as error:
            raise InvalidRequest(str(error), code=error.code) from error

    def forget(self) -> None:
        """Drops what was kept: the latest version may be another by now."""
        self._known.clear()
