"""The single calls a rollout is made of, and the far side that takes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from roadworthy.serving.rollout.state import Seen


@dataclass(frozen=True)
class Answered:
    """What a request with images came back with.

    Attributes:
        version: which version answered.
        labels: one an image.
        seconds: the request took.
    """

    version: int
    labels: tuple[str, ...]
    seconds: float


class Target(Protocol):
    """Where versions are rolled out. Every method is one change, and `look` tells afterwards what came of it."""

    def look(self) -> Seen:
        """Where things stand, once what an earlier call began is done."""
        ...

    def upload(self) -> None:
        """Makes a version of the model's files, the challenger."""
        ...

    def create_endpoint(self) -> None:
        """Makes what versions run on."""
        ...

    def deploy(self, version: int) -> None:
        """Has a version run, without traffic."""
        ...

    def share(self, percents: Mapping[int, int]) -> None:
        """Gives versions that run their percents of the traffic; those left out get none."""
        ...

    def undeploy(self, deployed_id: str) -> None:
        """Stops what runs under an id."""
        ...

    def alias(self, version: int, *, add: Sequence[str] = (), drop: Sequence[str] = ()) -> None:
        """Gives a version aliases, which leave whoever had them, and takes others from it."""
        ...

    def label(self, version: int, key: str, value: str | None) -> None:
        """Sets a label of a version; None takes it away."""
        ...

    def ask(self, images: Sequence[bytes], *, prefer: int) -> Answered:
        """Classifies images as a client would; which version answers may be the traffic's to say.

        Raises:
            AskError: no answer came.
        """
        ...


class Action(Protocol):
    """One change; `str` of it is told while it is done."""

    def perform(self, target: Target) -> None:
        """Makes the change."""
        ...


@dataclass(frozen=True)
class Upload:
    """Makes the version."""

    def perform(self, target: Target) -> None:
        """Makes the change."""
        target.upload()

    def __str__(self) -> str:
        return "uploading the model as a version"


@dataclass(frozen=True)
class CreateEndpoint:
    """Makes the endpoint."""

    def perform(self, target: Target) -> None:
        """Makes the change."""
        target.create_endpoint()

    def __str__(self) -> str:
        return "making the endpoint"


@dataclass(frozen=True)
class Deploy:
    """Has a version run, without traffic."""

    version: int

    def perform(self, target: Target) -> None:
        """Makes the change."""
        target.deploy(self.version)

    def __str__(self) -> str:
        return f"deploying version {self.version} at 0%"


@dataclass(frozen=True)
class Share:
    """Splits the traffic, as pairs of version and percent."""

    percents: tuple[tuple[int, int], ...]

    def perform(self, target: Target) -> None:
        """Makes the change."""
        target.share(dict(self.percents))

    def __str__(self) -> str:
        return "traffic: " + ", ".join(f"version {version} {percent}%" for version, percent in self.percents)


@dataclass(frozen=True)
class Undeploy:
    """Stops what runs under an id."""

    id: str
    version: int

    def perform(self, target: Target) -> None:
        """Makes the change."""
        target.undeploy(self.id)

    def __str__(self) -> str:
        return f"undeploying version {self.version}"


@dataclass(frozen=True)
class Alias:
    """Gives and takes aliases."""

    version: int
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()

    def perform(self, target: Target) -> None:
        """Makes the change."""
        target.alias(self.version, add=self.add, drop=self.drop)

    def __str__(self) -> str:
        words = [f"+{alias}" for alias in self.add] + [f"-{alias}" for alias in self.drop]
        return f"version {self.version}: {' '.join(words)}"


@dataclass(frozen=True)
class Label:
    """Sets a label, or takes it away."""

    version: int
    key: str
    value: str | None

    def perform(self, target: Target) -> None:
        """Makes the change."""
        target.label(self.version, self.key, self.value)

    def __str__(self) -> str:
        return f"version {self.version}: {self.key} {self.value or 'removed'}"


@dataclass(frozen=True)
class Check:
    """Not a change: the challenger is to be measured at its share of the traffic."""

    version: int
    percent: int

    def perform(self, target: Target) -> None:
        """Changes nothing."""

    def __str__(self) -> str:
        return f"checking version {self.version} at {self.percent}%"


@dataclass(frozen=True)
class Wait:
    """Not a change: the old version stays until a time, in seconds since 1970."""

    until_s: float
    version: int

    def perform(self, target: Target) -> None:
        """Changes nothing."""

    def __str__(self) -> str:
        return f"version {self.version} stays deployed for the grace time"
