"""When a schedule starts a run: a cron expression, checked before anything is compiled or asked."""

import re
from typing import Final

from roadworthy.pipeline.platforms import PlatformName
from roadworthy.serving.errors import ConfigError

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_SECOND: Final = ("second", 0, 59, ())
# Name, lowest and highest value, and words for values from the lowest on.
_FIELDS: Final = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("weekday", 0, 6, _DAYS),
)
_TIME_ZONE: Final = re.compile(r"(?:CRON_)?TZ=\S+\s+")
_PART: Final = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>[0-9]+))?")


def check_cron(cron: str, platform: PlatformName) -> str:
    """Gives back a cron expression that a platform takes.

    Args:
        cron: minute, hour, day, month and weekday, each `*`, a value, a range or a step, or several with commas between
            them. On Vertex AI a time zone may come first, `TZ=Europe/Amsterdam`; on Kubeflow a field for the second.
        platform: whose.

    Raises:
        ConfigError: another number of fields, or a value out of range.
    """
    words = (_TIME_ZONE.sub("", cron, count=1) if platform == "vertex" else cron).split()
    fields = (_SECOND, *_FIELDS) if platform == "kubeflow" and len(words) > len(_FIELDS) else _FIELDS
    if len(words) != len(fields):
        raise ConfigError(
            'A cron must have five fields, minute, hour, day, month and weekday, such as "0 3 * * 1" for Mondays at '
            f"three. Received: {len(words)} in {cron!r}."
        )
    for word, field in zip(words, fields, strict=True):
        if not all(_fits(part, *field[1:]) for part in word.lower().split(",")):
            name, lowest, highest, names = field
            more = f", or {names[0]} to {names[-1]}" if names else ""
            raise ConfigError(
                f"The {name} of a cron must be in {lowest} to {highest}{more}. Received: {word} in {cron!r}."
            )
    return cron


def _fits(part: str, lowest: int, highest: int, names: tuple[str, ...]) -> bool:
    """Whether `*`, a value or a range, with or without a step, is within the field."""
    found = _PART.fullmatch(part)
    if found is None or found["step"] == "0":
        return False
    if found["first"] == "*":
        return found["last"] is None
    first = _value(found["first"], lowest, names)
    last = first if found["last"] is None else _value(found["last"], lowest, names)
    return first is not None and last is not None and lowest <= first <= last <= highest


def _value(word: str, lowest: int, names: tuple[str, ...]) -> int | None:
    if word in names:
        return lowest + names.index(word)
    return int(word) if word.isascii() and word.isdigit() else None
