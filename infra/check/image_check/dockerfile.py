"""Reads a Dockerfile into its stages."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_CONTINUED: Final = re.compile(r"\\\n(?:[ \t]*#.*\n)*")
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_KNOWN: Final = frozenset(
    ("ARG", "FROM", "LABEL", "COPY", "RUN", "ENV", "EXPOSE", "ENTRYPOINT", "CMD", "USER", "HEALTHCHECK", "STOPSIGNAL")
)


@dataclass(frozen=True)
class Step:
    """One instruction of a stage.

    Attributes:
        name: e.g. COPY.
        rest: what follows it, its lines joined.
        line: where it begins, from 1.
    """

    name: str
    rest: str
    line: int

    def words(self) -> list[str]:
        """The words of a form in JSON, or those between blanks."""
        text = self.rest.strip()
        return json.loads(text) if text.startswith("[") else text.split()

    def flags(self) -> tuple[dict[str, str], list[str]]:
        """--name=value words by name, and the other words."""
        words = self.rest.split()
        given = [word for word in words if word.startswith("--")]
        return dict(word[2:].split("=", 1) for word in given), [word for word in words if not word.startswith("--")]


@dataclass
class Stage:
    """From one FROM to the next; `base` is an image or an earlier stage."""

    name: str
    base: str
    steps: list[Step] = field(default_factory=list)


def stages(text: str, images: Mapping[str, str]) -> dict[str, Stage]:
    """The stages of a Dockerfile by name, in order.

    Args:
        text: the file.
        images: values of the ARGs before the first FROM, over their defaults.

    Raises:
        ValueError: an instruction that is not known here; it would be left out in silence otherwise.
    """
    arguments: dict[str, str] = {}
    found: dict[str, Stage] = {}
    for step in _steps(text):
        if step.name not in _KNOWN:
            raise ValueError(f"line {step.line}: must be one of {', '.join(sorted(_KNOWN))}. Received: {step.name}.")
        if step.name == "FROM":
            words = expand(step.rest, arguments).split()
            name = words[2] if len(words) > 1 else f"stage-{len(found)}"
            found[name] = Stage(name, words[0])
        elif found:
            list(found.values())[-1].steps.append(step)
        elif step.name == "ARG":
            key, _, default = step.rest.partition("=")
            arguments[key] = images.get(key, default)
    return found


def expand(text: str, values: Mapping[str, str]) -> str:
    """$NAME and ${NAME} by their values; one that has none is left as it is."""
    return _VARIABLE.sub(lambda match: values.get(match[1] or match[2], match[0]), text)


def _steps(text: str) -> list[Step]:
    steps, line = [], 1
    for raw in _mark(text).split("\n"):
        joined = raw.replace("\0", " ").strip()
        if joined and not joined.startswith("#"):
            name, _, rest = joined.partition(" ")
            steps.append(Step(name.upper(), rest.strip(), line))
        line += 1 + raw.count("\0")
    return steps


def _mark(text: str) -> str:
    """Continued lines become one, with a mark for each line that went into it."""
    return _CONTINUED.sub(lambda match: "\0" * match[0].count("\n"), text)
