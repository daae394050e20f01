"""What every benchmark prints and writes: rows of figures, and the claims they are held to."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
# Told what is being done.
Say = Callable[[str], None]
# JSON-able: `rows`, figures by name, and `claims`, as `at_least` and `at_most` make them.
Result = dict[str, Any]
Part = Callable[[Say], Result]


def at_least(claim: str, measured: float, least: float, *, by: str | None = None) -> Result:
    """A claim that holds if what was measured reaches a figure."""
    return {"claim": claim, "measured": measured, "least": least, "holds": measured >= least, "by": by}


def at_most(claim: str, measured: float, most: float, *, by: str | None = None) -> Result:
    """A claim that holds if what was measured stays within a figure."""
    return {"claim": claim, "measured": measured, "most": most, "holds": measured <= most, "by": by}


def chosen(parser: argparse.ArgumentParser, parts: Iterable[str]) -> argparse.Namespace:
    """The command line, with `parts` in the order given; none is all of them."""
    names = tuple(parts)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"which to run, of {', '.join(names)}; none is all")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(names):
        parser.error(f"parts must be of {', '.join(names)}. Received: {', '.join(sorted(unknown))}.")
    given.parts = given.parts or list(names)
    return given


def run(parts: Mapping[str, Part], out: Path) -> int:
    """Runs the parts, prints a table of each, and writes them to `bench.json` beside what earlier runs left there.

    Returns:
        0 if every claim holds, else 1; a claim that falls short is part of the result, not a failure of it.
    """
    out.mkdir(parents=True, exist_ok=True)
    results = {}
    for name, part in parts.items():
        begun = {"commit": _commit(), "cpus": os.cpu_count(), "at": datetime.now(UTC).isoformat(timespec="seconds")}
        results[name] = begun | part(_say_since(time.monotonic(), name))
        # As soon as it is known: a later part may be interrupted.
        write(results, out / "bench.json")
    print("\n".join(line for name, result in results.items() for line in table(name, result)))
    print(f"\n{out / 'bench.json'}")
    return 0 if all(claim["holds"] for result in results.values() for claim in result["claims"]) else 1


def write(results: Mapping[str, Result], path: Path) -> None:
    """Replaces the parts of a document that were run anew."""
    earlier = json.loads(path.read_text())["parts"] if path.exists() else {}
    path.write_text(json.dumps({"parts": earlier | results}, indent=2) + "\n")


def table(name: str, result: Result) -> list[str]:
    """The rows, then the claims, for people."""
    rows = [flat(row) for row in result["rows"]]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    widths = {key: max(len(key), *(len(row.get(key, "")) for row in rows)) for key in columns}
    lines = ["", name, "  ".join(key.rjust(width) for key, width in widths.items())]
    lines += ["  ".join(row.get(key, "").rjust(width) for key, width in widths.items()) for row in rows]
    for claim in result["claims"]:
        by = f" ({claim['by']})" if claim.get("by") else ""
        lines.append(f"{'holds' if claim['holds'] else 'SHORT':<6} {claim['claim']}: {claim['measured']:.4g}{by}")
    return lines


def flat(row: Result, prefix: str = "") -> dict[str, str]:
    """A row's figures as text, nested ones under dotted names."""
    cells: dict[str, str] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            cells |= flat(value, f"{prefix}{key}.")
        else:
            cells[prefix + key] = f"{value:.4f}" if isinstance(value, float) else str(value)
    return cells


def _say_since(started: float, part: str) -> Say:
    def say(what: str) -> None:
        print(f"[{time.monotonic() - started:6.0f} s] {part}: {what}", file=sys.stderr, flush=True)

    return say


def _commit() -> str:
    """The commit that is measured."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
