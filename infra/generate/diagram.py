"""Writes the diagram of the platform into docs/guide/infrastructure.md, from infra/platform and its modules.

python infra/generate/diagram.py [--check]
"""

import re
import sys
from collections.abc import Sequence
from typing import Final

from blocks import Block, blocks
from pages import PAGE, ROOT, between, write

PLATFORM: Final = ROOT / "infra" / "platform"
# Every module needs the services: arrows that would only hide the others.
_EVERYWHERE: Final = "services"


def main(arguments: Sequence[str]) -> int:
    """Writes the page where it differs, or with --check says so and fails."""
    return write(PAGE, between(PAGE.read_text(), "diagram", diagram()), arguments)


def diagram() -> str:
    """A Mermaid flowchart: a box a module with what it makes, an arrow to each module that takes something from it."""
    modules = blocks(PLATFORM, "module")
    boxes = [_box(module) for module in modules]
    arrows = [f"  {source} --> {module.labels[0]}" for module in modules for source in _sources(module)]
    return "```mermaid\nflowchart LR\n" + "\n".join([*boxes, *arrows]) + "\n```\n"


def _box(module: Block) -> str:
    folder = (PLATFORM / module.words("source")).resolve()
    kinds = dict.fromkeys(block.labels[0] for block in blocks(folder, "resource") if "_iam_" not in block.labels[0])
    made = "<br/>".join(kind.removeprefix("google_").replace("_", " ") for kind in kinds)
    optional = " (where asked for)" if module.argument("count") else ""
    return f'  {module.labels[0]}["<b>{module.labels[0]}</b>{optional}<br/>{made}"]'


def _sources(module: Block) -> list[str]:
    named = dict.fromkeys(re.findall(r"module\.(\w+)", "\n".join(module.body)))
    return [name for name in named if name not in (module.labels[0], _EVERYWHERE)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
