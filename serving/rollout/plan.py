"""What to do next, by where things stand: pure functions, so that an interrupted rollout and a fresh one are one thing.

A version that is refused is marked so first and then taken out, call by call; a plan begins by finishing that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from roadworthy.serving.errors import DeployError
from roadworthy.serving.rollout.actions import (
    Action,
    Alias,
    Check,
    CreateEndpoint,
    Deploy,
    Label,
    Share,
    Undeploy,
    Upload,
    Wait,
)  # fmt: skip
from roadworthy.serving.rollout.ramp import ALL, Ramp
from roadworthy.serving.rollout.state import (
    CHALLENGER,
    CHAMPION,
    PREVIOUS,
    REFUSED,
    ROLES,
    SINCE,
    Deployed,
    Seen,
    Version,
)  # fmt: skip

ASKED: Final = "asked"


@dataclass(frozen=True)
class Progress:
    """What this call alone knows.

    Attributes:
        passed: shares of traffic at which the challenger has been checked.
        now_s: seconds since 1970.
    """

    passed: frozenset[int] = frozenset()
    now_s: float = 0.0


Plan = Callable[[Seen, Progress], Action | None]


class VersionRefused(DeployError):
    """The version was taken back, now or earlier."""


def deploying(digest: str, ramp: Ramp, *, again: bool = False) -> Plan:
    """Brings the files of a digest to all traffic, with a check at every step.

    Args:
        digest: of the files, as the label `DIGEST` holds it.
        ramp: steps and limits.
        again: try a version once more that was refused.

    The plan raises `VersionRefused`, or `DeployError` while another challenger is under way.
    """

    def plan(seen: Seen, progress: Progress) -> Action | None:
        if taken_back := _take_out_refused(seen):
            return taken_back
        version = seen.of_digest(digest)
        _check_no_other(seen.holder(CHALLENGER), version)
        if version is None:
            return Upload()
        if version.refused and again:
            return Label(version.number, REFUSED, None)
        if version.refused:
            raise VersionRefused(
                f"This model, version {version.number}, was taken back: {version.refused}. "
                "Deploy another one, or this one with --again."
            )
        if CHAMPION in version.aliases:
            return _settle(seen, version, ramp, progress)
        return _raise_share(seen, version, ramp, progress)

    return plan


def promoting(ramp: Ramp) -> Plan:
    """Makes the challenger the champion, without further checks; then tidies up.

    The plan raises `DeployError` if there is neither.
    """
    at_once = ramp.model_copy(update={"steps": (ALL,)})

    def plan(seen: Seen, progress: Progress) -> Action | None:
        if taken_back := _take_out_refused(seen):
            return taken_back
        trusted = Progress(frozenset(range(ALL + 1)), progress.now_s)
        if challenger := seen.holder(CHALLENGER):
            return _raise_share(seen, challenger, at_once, trusted)
        if champion := seen.holder(CHAMPION):
            return _settle(seen, champion, ramp, progress)
        raise DeployError("There must be a challenger to promote. Received: no version. Deploy one first.")

    return plan


def rolling_back(version: int | None) -> Plan:
    """Takes a version back, to the champion or the one before it.

    Args:
        version: as `to_take_back` names it; None finishes what is under way.
    """

    def plan(seen: Seen, _: Progress) -> Action | None:
        if taken_back := _take_out_refused(seen):
            return taken_back
        found = next((one for one in seen.versions if one.number == version and not one.refused), None)
        return Label(found.number, REFUSED, ASKED) if found else None

    return plan


def to_take_back(seen: Seen) -> int | None:
    """The version that a rollback is about: the challenger, else the champion; None where one is still under way.

    Raises:
        DeployError: there is no challenger, and no version before the champion.
    """
    if _take_out_refused(seen):
        return None
    if challenger := seen.holder(CHALLENGER):
        return challenger.number
    champion = seen.holder(CHAMPION)
    if champion is None or seen.holder(PREVIOUS) in (None, champion):
        raise DeployError(
            "There must be a challenger, or a version before the champion, to go back from. Received: neither."
        )
    return champion.number


def _check_no_other(challenger: Version | None, version: Version | None) -> None:
    if challenger is not None and (version is None or version.number != challenger.number):
        raise DeployError(
            f"One version at a time can be on its way. Received: another model, while version {challenger.number} "
            "is the challenger. Finish that with `roadworthy promote` or `roadworthy rollback`."
        )


def _take_out_refused(seen: Seen) -> Action | None:
    return next((action for one in seen.versions if one.refused and (action := _take_out(seen, one))), None)


def _take_out(seen: Seen, version: Version) -> Action | None:
    """Traffic first, then the name, then the machine."""
    champion = seen.holder(CHAMPION)
    heir = champion if champion != version else seen.holder(PREVIOUS)
    if heir is not None and heir != version and (seen.percent(version) or champion == version):
        if not seen.runs(heir):
            return Deploy(heir.number)
        if seen.percent(heir) != ALL:
            return Share(((heir.number, ALL),))
        if champion == version:
            return Alias(heir.number, add=(CHAMPION,), drop=(PREVIOUS,))
    if seen.runs(version):
        return _undeploy(next(one for one in seen.deployed or () if one.version == version.number))
    held = tuple(sorted(version.aliases & ROLES))
    return Alias(version.number, drop=held) if held else None


def _raise_share(seen: Seen, version: Version, ramp: Ramp, progress: Progress) -> Action:
    """One step of a challenger's way to all traffic."""
    if seen.deployed is None:
        return CreateEndpoint()
    if CHALLENGER not in version.aliases:
        return Alias(version.number, add=(CHALLENGER,))
    if not seen.runs(version):
        return Deploy(version.number)
    champion = seen.holder(CHAMPION)
    beside = champion if champion is not None and seen.runs(champion) else None
    percent = seen.percent(version)
    if percent not in progress.passed and (percent or beside):
        return Check(version.number, percent)
    if percent < ALL:
        wanted = ramp.after(percent) if beside else ALL
        left = ((beside.number, ALL - wanted),) if beside and wanted < ALL else ()
        return Share((*left, (version.number, wanted)))
    return _crown(version, champion, progress)


def _crown(version: Version, champion: Version | None, progress: Progress) -> Action:
    """The names follow the traffic: when it became the champion, who was it before, and the name itself."""
    before_s = champion.champion_since_s if champion else None
    since_s = version.champion_since_s
    if since_s is None or (before_s is not None and since_s <= before_s):
        # Later than the one before, though both fall into one second.
        return Label(version.number, SINCE, str(max(int(progress.now_s), int(before_s or 0) + 1)))
    if champion is not None and PREVIOUS not in champion.aliases:
        return Alias(champion.number, add=(PREVIOUS,))
    return Alias(version.number, add=(CHAMPION,), drop=(CHALLENGER,))


def _settle(seen: Seen, champion: Version, ramp: Ramp, progress: Progress) -> Action | None:
    """What is left once a version is the champion: all traffic, and nobody else once the grace time is over."""
    if seen.deployed is None:
        return CreateEndpoint()
    if not seen.runs(champion):
        return Deploy(champion.number)
    if seen.percent(champion) != ALL:
        return Share(((champion.number, ALL),))
    old = next((one for one in seen.deployed if one.version != champion.number), None)
    if old is None:
        return None
    until_s = (champion.champion_since_s or 0.0) + ramp.grace_s
    return Wait(until_s, old.version) if ramp.grace_s and progress.now_s < until_s else _undeploy(old)


def _undeploy(deployed: Deployed) -> Undeploy:
    return Undeploy(deployed.id, deployed.version)
