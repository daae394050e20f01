"""A plan carried out: look, decide, act, until nothing is left to do."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from roadworthy.serving.errors import DeployError
from roadworthy.serving.rollout.actions import Action, Check, Target, Wait
from roadworthy.serving.rollout.check import Checker, Fault, Measured
from roadworthy.serving.rollout.plan import Plan, Progress, VersionRefused
from roadworthy.serving.rollout.state import REFUSED, Seen

_NAP_S = 5.0


@dataclass
class Rollout:
    """One call's way through a plan.

    Attributes:
        target: where.
        plan: what to do next.
        checker: measures the challenger; None where the plan checks nothing.
        tell: told each action before it is done.
        told_measured: told what each check found.
        waits_grace: sleep until the grace time is over; else leave the old version to a later call.
        done: the actions so far.
        measured: what the checks found.
    """

    target: Target
    plan: Plan
    checker: Checker | None = None
    tell: Callable[[Action], None] = lambda action: None
    told_measured: Callable[[Measured], None] = lambda measured: None
    waits_grace: bool = True
    done: list[Action] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)

    def run(self) -> Seen:
        """Goes on from wherever things stand.

        Returns:
            How they stand at the end.

        Raises:
            DeployError: a check was missed and traffic is back where it was; or the far side said no.
        """
        passed: set[int] = set()
        faults: Sequence[Fault] = ()
        while True:
            seen = self.target.look()
            try:
                action = self.plan(seen, Progress(frozenset(passed), time.time()))
            except VersionRefused as error:
                raise _with_faults(error, faults, self.measured) from error
            if action is None or (isinstance(action, Wait) and not self.waits_grace):
                return seen
            self._say(action)
            if isinstance(action, Check):
                faults = self._check(seen, action)
                if not faults:
                    passed.add(action.percent)
            elif isinstance(action, Wait):
                time.sleep(max(0.0, min(action.until_s - time.time(), _NAP_S)))
            else:
                action.perform(self.target)

    def _say(self, action: Action) -> None:
        if not self.done or self.done[-1] != action:
            self.done.append(action)
            self.tell(action)

    def _check(self, seen: Seen, check: Check) -> Sequence[Fault]:
        """The limits missed, of which the version carries the first as a mark from then on."""
        if self.checker is None:
            raise DeployError("A version must be checked on held images. Received: none.")
        measured = self.checker.measure(self.target, seen, check)
        self.measured.append(measured)
        self.told_measured(measured)
        faults = self.checker.faults(measured)
        if faults:
            self.target.label(check.version, REFUSED, faults[0].word)
        return faults


def _with_faults(error: VersionRefused, faults: Sequence[Fault], measured: Sequence[Measured]) -> DeployError:
    """What was missed in this call, in full; what was missed in an earlier one is in the version's mark alone."""
    if not faults:
        return error
    listed = "\n".join(f"- {fault.told}" for fault in faults)
    return DeployError(
        f"The new version missed its check at {measured[-1].percent}% of the traffic and was taken back; all "
        f"traffic is where it was before.\n{listed}"
    )
