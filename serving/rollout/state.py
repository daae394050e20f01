"""Where a rollout stands, as the far side tells it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"
PREVIOUS: Final = "previous"
ROLES: Final = frozenset({CHAMPION, CHALLENGER, PREVIOUS})

# Labels of a version.
DIGEST: Final = "roadworthy-manifest"
REFUSED: Final = "roadworthy-refused"
SINCE: Final = "roadworthy-champion-since"


@dataclass(frozen=True)
class Version:
    """A version of the model.

    Attributes:
        number: as the far side numbers it, from 1.
        aliases: of `CHAMPION`, `CHALLENGER` and `PREVIOUS` those that are its.
        labels: by key.
    """

    number: int
    aliases: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def refused(self) -> str | None:
        """Why it was taken back, in a word; None if it was not."""
        return self.labels.get(REFUSED)

    @property
    def champion_since_s(self) -> float | None:
        """When it became the champion, in seconds since 1970."""
        since = self.labels.get(SINCE, "")
        return float(since) if since.isdecimal() else None


@dataclass(frozen=True)
class Deployed:
    """A version that runs.

    Attributes:
        id: the far side's own name of it.
        version: its number.
        percent: of the traffic.
    """

    id: str
    version: int
    percent: int


@dataclass(frozen=True)
class Seen:
    """Everything there is.

    Attributes:
        versions: ascending.
        deployed: whatever runs; None if there is no endpoint to run on.
    """

    versions: tuple[Version, ...] = ()
    deployed: tuple[Deployed, ...] | None = None

    def of_digest(self, digest: str) -> Version | None:
        """The version made of these files; of several the one that came furthest."""
        found = [version for version in self.versions if version.labels.get(DIGEST) == digest]
        return max(found, key=lambda one: (len(one.aliases), -one.number), default=None)

    def holder(self, alias: str) -> Version | None:
        """The version of an alias."""
        return next((version for version in self.versions if alias in version.aliases), None)

    def runs(self, version: Version | None) -> bool:
        """Whether it is deployed."""
        return version is not None and any(one.version == version.number for one in self.deployed or ())

    def percent(self, version: Version | None) -> int:
        """Its share of the traffic."""
        return sum(one.percent for one in self.deployed or () if version and one.version == version.number)

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {
            "versions": [
                {"version": one.number, "aliases": sorted(one.aliases), "labels": dict(one.labels)}
                for one in self.versions
            ],
            "deployed": None
            if self.deployed is None
            else [{"id": one.id, "version": one.version, "percent": one.percent} for one in self.deployed],
        }
