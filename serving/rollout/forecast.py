"""What a rollout would do if every check passed: the plan on a copy of how things stand, for a dry run."""

import dataclasses
import time
from collections.abc import Mapping, Sequence

from roadworthy.serving.rollout.actions import Action, Answered, Check, Wait
from roadworthy.serving.rollout.plan import Plan, Progress
from roadworthy.serving.rollout.state import CHALLENGER, DIGEST, Deployed, Seen, Version


def forecast(seen: Seen, plan: Plan, *, digest: str = "", waits_grace: bool = True) -> list[Action]:
    """The actions to come, in order.

    Raises:
        DeployError: as the plan.
    """
    copy, passed, now_s = Copy(seen, digest=digest), set[int](), time.time()
    actions: list[Action] = []
    while action := plan(copy.look(), Progress(frozenset(passed), now_s)):
        if isinstance(action, Wait) and not waits_grace:
            break
        actions.append(action)
        if isinstance(action, Check):
            passed.add(action.percent)
        if isinstance(action, Wait):
            now_s = action.until_s
        action.perform(copy)
    return actions


class Copy:
    """A target in memory."""

    def __init__(self, seen: Seen, *, digest: str) -> None:
        self._seen, self._digest = seen, digest

    def look(self) -> Seen:
        """How things stand."""
        return self._seen

    def upload(self) -> None:
        """Adds the version."""
        number = max((version.number for version in self._seen.versions), default=0) + 1
        new = Version(number, labels={DIGEST: self._digest})
        self._put(versions=(*self._seen.versions, new))
        self.alias(number, add=(CHALLENGER,))

    def create_endpoint(self) -> None:
        """Makes room for what runs."""
        self._put(deployed=())

    def deploy(self, version: int) -> None:
        """Has a version run."""
        running = self._seen.deployed or ()
        self._put(deployed=(*running, Deployed(f"of-{version}", version, 0)))

    def share(self, percents: Mapping[int, int]) -> None:
        """Splits the traffic."""
        running = self._seen.deployed or ()
        self._put(deployed=tuple(dataclasses.replace(one, percent=percents.get(one.version, 0)) for one in running))

    def undeploy(self, deployed_id: str) -> None:
        """Stops one."""
        self._put(deployed=tuple(one for one in self._seen.deployed or () if one.id != deployed_id))

    def alias(self, version: int, *, add: Sequence[str] = (), drop: Sequence[str] = ()) -> None:
        """Moves names."""
        self._put(
            versions=tuple(
                dataclasses.replace(one, aliases=(one.aliases - set(drop)) | set(add))
                if one.number == version
                else dataclasses.replace(one, aliases=one.aliases - set(add))
                for one in self._seen.versions
            )
        )

    def label(self, version: int, key: str, value: str | None) -> None:
        """Sets or removes a label."""

        def changed(labels: Mapping[str, str]) -> dict[str, str]:
            kept = {name: told for name, told in labels.items() if name != key}
            return kept if value is None else {**kept, key: value}

        self._put(
            versions=tuple(
                dataclasses.replace(one, labels=changed(one.labels)) if one.number == version else one
                for one in self._seen.versions
            )
        )

    def ask(self, images: Sequence[bytes], *, prefer: int) -> Answered:
        """Answers what nobody reads."""
        return Answered(prefer, ("",) * len(images), 0.0)

    def _put(self, **changes: object) -> None:
        self._seen = dataclasses.replace(self._seen, **changes)  # type: ignore[arg-type]
