"""Held images sent to champion and challenger, and the limits that the challenger has to keep to."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from roadworthy.serving.errors import AskError
from roadworthy.serving.rollout.actions import Answered, Check, Target
from roadworthy.serving.rollout.ramp import ALL, Ramp
from roadworthy.serving.rollout.state import CHAMPION, Seen

# How many more requests than a share of the traffic calls for are sent before the share is doubted.
_PATIENCE: Final = 3
# Codes that no version gives, and so none is taken back for.
_OF_THE_ASKER: Final = ("UNAUTHENTICATED", "PERMISSION_DENIED")
_MS: Final = 1000
_P95: Final = 0.95


@dataclass(frozen=True)
class Fault:
    """A limit that was missed.

    Attributes:
        word: for a label: small letters, digits and dashes, at most 63.
        told: for people.
    """

    word: str
    told: str


@dataclass
class Heard:
    """What one version answered: seconds of every request, labels by batch."""

    seconds: list[float] = field(default_factory=list)
    labels: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def add(self, batch: int, answered: Answered) -> None:
        """One more answer."""
        self.seconds.append(answered.seconds)
        self.labels[batch] = answered.labels


@dataclass(frozen=True)
class Measured:
    """What a check found.

    Attributes:
        percent: of the traffic the challenger had.
        requests: it answered.
        error_rate: share of its requests that failed, in [0, 1]; None where it was not asked.
        p95_ms: of its requests; None where it was not asked.
        champion_p95_ms: of the champion's; None where that was not asked.
        agreement: share of the images both labelled alike, in [0, 1]; None where one of them was not asked.
    """

    percent: int
    requests: int = 0
    error_rate: float | None = None
    p95_ms: float | None = None
    champion_p95_ms: float | None = None
    agreement: float | None = None

    def __str__(self) -> str:
        words = [
            f"{self.requests} requests answered",
            "" if self.error_rate is None else f"{self.error_rate:.1%} failed",
            "" if self.p95_ms is None else f"p95 {self.p95_ms:.0f} ms",
            "" if self.champion_p95_ms is None else f"champion's p95 {self.champion_p95_ms:.0f} ms",
            "" if self.agreement is None else f"{self.agreement:.1%} agree with the champion",
        ]
        return ", ".join(word for word in words if word)


class Checker:
    """Measures a challenger at each of its shares of the traffic; the champion's answers are kept from step to step."""

    def __init__(self, images: Sequence[bytes], ramp: Ramp) -> None:
        """Asks nothing yet.

        Args:
            images: bytes of JPEG or PNG files, at least one.
            ramp: limits.
        """
        size = ramp.images_a_request
        self._batches = [tuple(images[start : start + size]) for start in range(0, len(images), size)]
        self._ramp = ramp
        self._champion = Heard()
        # Share of the champion's own requests that fail, while it is alone.
        self._usual_errors = 0.0

    def measure(self, target: Target, seen: Seen, check: Check) -> Measured:
        """Sends images until the version in question has answered enough of them.

        Which version answers is up to the traffic, so at a small share many requests go to the champion; a request that
        fails tells nothing of whose it was, and counts as the challenger's beyond what the champion fails alone.

        Raises:
            AskError: whoever runs this may not ask.
        """
        champion = seen.holder(CHAMPION)
        number = champion.number if champion is not None else 0
        wanted, share = (check.version, check.percent) if check.percent else (number, ALL)
        heard = {number: self._champion, check.version: Heard()}
        asked = failed = 0
        for batch in self._to_ask(heard[wanted], share):
            asked += 1
            try:
                answered = target.ask(self._batches[batch], prefer=wanted)
            except AskError as error:
                if error.code in _OF_THE_ASKER:
                    raise
                failed += 1
                continue
            heard.setdefault(answered.version, Heard()).add(batch, answered)
        if not check.percent:
            self._usual_errors = failed / asked
            return Measured(0, len(self._champion.seconds), champion_p95_ms=_p95_ms(self._champion))
        return self._measured(check, heard[check.version], asked=asked, failed=failed)

    def faults(self, measured: Measured) -> list[Fault]:
        """The limits that were missed; none is a pass."""
        return list(_missed(measured, self._ramp))

    def _to_ask(self, heard: Heard, share: int) -> Iterator[int]:
        """Batches, those the version has not answered yet first; ends when it has answered enough or never will."""
        enough = max(self._ramp.answers, len(self._batches))
        for number in range(math.ceil(_PATIENCE * enough * ALL / share)):
            missing = [batch for batch in range(len(self._batches)) if batch not in heard.labels]
            if not missing and len(heard.seconds) >= enough:
                return
            choice = missing or range(len(self._batches))
            yield choice[number % len(choice)]

    def _measured(self, check: Check, heard: Heard, *, asked: int, failed: int) -> Measured:
        answered = len(heard.seconds)
        blamed = max(0.0, failed - self._usual_errors * (asked - answered))
        both = heard.labels.keys() & self._champion.labels.keys()
        pairs = [pair for batch in both for pair in zip(heard.labels[batch], self._champion.labels[batch], strict=True)]
        return Measured(
            check.percent,
            answered,
            error_rate=blamed / (answered + blamed) if answered + blamed else None,
            p95_ms=_p95_ms(heard),
            champion_p95_ms=_p95_ms(self._champion),
            agreement=sum(one == other for one, other in pairs) / len(pairs) if pairs else None,
        )


def _missed(measured: Measured, ramp: Ramp) -> Iterator[Fault]:
    if measured.percent == 0:
        return
    if measured.error_rate is None:
        yield Fault("no-answers", "it must answer at its share of the traffic. Received: no answer of it.")
        return
    if measured.error_rate > ramp.max_error_rate:
        yield _fault("error-rate", f"at most {ramp.max_error_rate:.1%} may fail", f"{measured.error_rate:.1%}")
    if measured.p95_ms is not None:
        yield from _too_slow(measured, measured.p95_ms, ramp)
    if measured.agreement is not None and measured.agreement < ramp.min_agreement:
        wanted = f"at least {ramp.min_agreement:.1%} of the held images must get the champion's label"
        yield _fault("agreement", wanted, f"{measured.agreement:.1%}")


def _too_slow(measured: Measured, p95_ms: float, ramp: Ramp) -> Iterator[Fault]:
    if ramp.max_p95_ms is not None and p95_ms > ramp.max_p95_ms:
        yield _fault("p95", f"p95 must be at most {ramp.max_p95_ms:.0f} ms", f"{p95_ms:.0f} ms")
    if ramp.max_p95_ratio is not None and measured.champion_p95_ms:
        ratio = p95_ms / measured.champion_p95_ms
        if ratio > ramp.max_p95_ratio:
            wanted = (
                f"p95 must be at most {ramp.max_p95_ratio:g} times the champion's {measured.champion_p95_ms:.0f} ms"
            )
            yield _fault("p95-ratio", wanted, f"{ratio:.1f} times, {p95_ms:.0f} ms")


def _fault(word: str, wanted: str, received: str) -> Fault:
    value = re.sub("[^a-z0-9]+", "-", received.lower()).strip("-")
    return Fault(f"{word}-{value}"[:63], f"{wanted}. Received: {received}.")


def _p95_ms(heard: Heard) -> float | None:
    """The smallest time that 95% of the requests took at most."""
    if not heard.seconds:
        return None
    ordered = sorted(heard.seconds)
    return ordered[math.ceil(_P95 * len(ordered)) - 1] * _MS
