"""Reads blocks out of Terraform files that `terraform fmt` has formatted, by their indentation."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_OPENING: Final = re.compile(r'^(\w+)((?: "[\w-]+")+) \{(\})?$')
_ARGUMENT: Final = re.compile(r"^  (\w+) += (.*)$")


@dataclass(frozen=True)
class Block:
    """A top-level block: `kind "label" { … }`."""

    kind: str
    labels: tuple[str, ...]
    body: tuple[str, ...]

    def argument(self, name: str) -> str | None:
        """The text of an argument's value, outdented; None where it is not given."""
        for at, line in enumerate(self.body):
            found = _ARGUMENT.match(line)
            if found and found[1] == name:
                return "\n".join([found[2], *_continued(found[2], self.body[at + 1 :])])
        return None

    def words(self, name: str) -> str:
        """An argument that is text, a heredoc or a quoted line, as one line."""
        value = self.argument(name) or ""
        if value.startswith("<<-"):
            return " ".join(textwrap.dedent(value.partition("\n")[2]).rpartition("\n")[0].split())
        return value.strip('"').replace('\\"', '"')


def blocks(folder: Path, *kinds: str) -> list[Block]:
    """Blocks of some kinds in a folder's files, by file and then as they stand there."""
    return [block for file in sorted(folder.glob("*.tf")) for block in _of(file) if block.kind in kinds]


def _of(file: Path) -> Iterator[Block]:
    lines = file.read_text().splitlines()
    at = 0
    while at < len(lines):
        found = _OPENING.match(lines[at])
        at += 1
        if not found:
            continue
        end = at if found[3] else lines.index("}", at)
        yield Block(found[1], tuple(re.findall(r'"([\w-]+)"', found[2])), tuple(lines[at:end]))
        at = end


def _continued(first: str, lines: tuple[str, ...]) -> Iterator[str]:
    """The rest of a value that a bracket or a heredoc opens: all lines to the one that closes it."""
    if not first.endswith(("{", "[", "(", "TEXT")):
        return
    for line in lines:
        yield line[2:]
        if re.match(r"^  (?:[\])}]+|TEXT$)", line):
            return
