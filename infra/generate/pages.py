"""Pages whose parts between markers are generated."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "guide" / "infrastructure.md"


def between(text: str, name: str, part: str) -> str:
    """The text with a part in place of what stands between `<!-- name -->` and `<!-- /name -->`."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if begin not in text or end not in text:
        raise SystemExit(f"The page must hold {begin} and {end}. Received: a text without them.")
    return f"{text[: text.index(begin)]}{begin}\n{part}{text[text.index(end) :]}"


def write(path: Path, text: str, arguments: Sequence[str]) -> int:
    """Writes a page where it differs; with --check only says so. Returns 1 for a difference that was not written."""
    if path.exists() and path.read_text() == text:
        return 0
    if "--check" in arguments:
        print(f"{path.relative_to(ROOT)} is not what make docs writes")
        return 1
    path.write_text(text)
    print(f"{path.relative_to(ROOT)} written")
    return 0
