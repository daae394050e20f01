"""Which folders Terraform is run in, and what they use."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_BLOCK: Final = re.compile(r'^(?:resource|data)\s+"(google_\w+)"|^\s+data\s+"(google_\w+)"', re.MULTILINE)


def find(folder: Path) -> list[Path]:
    """Every folder that says which Terraform it needs, sorted."""
    return sorted({file.parent for file in folder.rglob("versions.tf") if ".terraform" not in file.parts})


def used_types(folder: Path) -> set[str]:
    """The types of all resources and data sources below a folder."""
    return {name for text in _texts(folder) for groups in _BLOCK.findall(text) for name in groups if name}


def _texts(folder: Path) -> Iterable[str]:
    return (file.read_text() for pattern in ("*.tf", "*.tftest.hcl") for file in folder.rglob(pattern))
