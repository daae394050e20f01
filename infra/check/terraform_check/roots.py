"""Which folders Terraform is run in, and what they use."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

# To the brace in the column that the block's first word is in.
_BLOCK: Final = re.compile(r'^( *)(?:resource|data) "(google_\w+)"(.*?)^\1\}', re.MULTILINE | re.DOTALL)
_SOURCE: Final = re.compile(r'source += "hashicorp/([\w-]+)"')
_PROVIDER: Final = re.compile(r"^ +provider += ([\w-]+)$", re.MULTILINE)


def find(folder: Path) -> list[Path]:
    """Every folder that says which Terraform it needs, sorted."""
    return sorted({file.parent for file in folder.rglob("versions.tf") if ".terraform" not in file.parts})


def used_types(folder: Path) -> dict[str, set[str]]:
    """The types of all resources and data sources below a folder, by the provider that is asked for them."""
    texts = list(_texts(folder))
    used: dict[str, set[str]] = {name: set() for text in texts for name in _SOURCE.findall(text)}
    for text in texts:
        for _, name, body in _BLOCK.findall(text):
            named = _PROVIDER.search(body)
            used.setdefault(named[1] if named else "google", set()).add(name)
    return used


def _texts(folder: Path) -> Iterable[str]:
    return (file.read_text() for file in folder.rglob("*.tf"))
