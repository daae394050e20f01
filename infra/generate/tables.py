"""Writes the tables of inputs and outputs into each Terraform module's README.md, between its markers.

python infra/generate/tables.py [--check]
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from blocks import Block, blocks
from pages import ROOT, between, write


def main(arguments: Sequence[str]) -> int:
    """Writes the READMEs that differ, or with --check says which and fails."""
    return max([write(root / "README.md", _readme(root), arguments) for root in _roots()])


def _roots() -> list[Path]:
    return sorted({file.parent for file in (ROOT / "infra").rglob("versions.tf") if ".terraform" not in file.parts})


def _readme(root: Path) -> str:
    path = root / "README.md"
    text = path.read_text() if path.exists() else f"# {root.name}\n\n<!-- tables -->\n<!-- /tables -->\n"
    return between(text, "tables", tables(root))


def tables(root: Path) -> str:
    """Inputs and outputs of a root as Markdown."""
    inputs = [_input(block) for block in blocks(root, "variable")]
    outputs = [f"| `{block.labels[0]}` | {_cell(block.words('description'))} |" for block in blocks(root, "output")]
    made = "## Inputs\n\n| name | type | default | |\n|---|---|---|---|\n" + "\n".join(inputs) + "\n" if inputs else ""
    given = "## Outputs\n\n| name | |\n|---|---|\n" + "\n".join(outputs) + "\n" if outputs else ""
    return "\n".join(part for part in (made, given) if part)


def _input(block: Block) -> str:
    default = block.argument("default")
    shown = "required" if default is None else "see variables.tf" if "\n" in default else f"`{default}`"
    kind = re.sub(r"\s+", " ", block.argument("type") or "any").replace("{ ", "{").replace(" }", "}")
    kind = re.sub(r"(?<=[\w)}]) (?=\w+ +=)", ", ", kind)
    return f"| `{block.labels[0]}` | `{kind}` | {shown} | {_cell(block.words('description'))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
