"""A peer's own virtual environment, from its own pinned requirements."""

import hashlib
import subprocess
from pathlib import Path
from typing import Final

from bench.claims import ROOT, Say

PEERS: Final = Path(__file__).resolve().parents[1] / "peers"
_UV: Final = ROOT / ".cache" / "tools" / "bin" / "uv"
_ENVIRONMENTS: Final = ROOT / ".cache" / "bench"
_PYTHON: Final = "3.11"


def bin_of(peer: str, *, say: Say) -> Path:
    """The folder of programs of a peer's environment, which is made first if its requirements have changed."""
    requirements = PEERS / peer / "requirements.txt"
    folder = _ENVIRONMENTS / peer
    stamp = folder / ".requirements"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        say(f"installing {peer} into {folder.relative_to(ROOT)}")
        _uv("venv", "-q", "--clear", "--python", _PYTHON, folder)
        _uv("pip", "sync", "-q", "--python", folder / "bin" / "python", "--require-hashes", requirements)
        stamp.write_text(wanted)
    return folder / "bin"


def _uv(*arguments: str | Path) -> None:
    subprocess.run([_UV, *arguments], check=True)
