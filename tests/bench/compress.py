"""`make bench-compress`: every claim about compression, measured on real data; a table, and JSON beside it."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
OUT: Final = ROOT / "runs" / "bench-compress"
PARTS: Final = ("mnist", "fashion")


def main() -> int:
    """Returns 0 if every claim holds, else 1; a claim that falls short is part of the result, not a failure of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"which to run, of {', '.join(PARTS)}; none is all")
    parser.add_argument("--fresh", action="store_true", help="forget earlier runs, so that every step is timed anew")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"parts must be of {', '.join(PARTS)}. Received: {', '.join(sorted(unknown))}.")
    if given.fresh:
        for folder in (OUT, ROOT / "runs" / "bench"):
            shutil.rmtree(folder, ignore_errors=True)
    OUT.mkdir(parents=True, exist_ok=True)
    results = {part: run(part) for part in given.parts or PARTS}
    document = {"commit": commit(), "cpus": os.cpu_count(), "parts": results}
    (OUT / "bench.json").write_text(json.dumps(document, indent=2) + "\n")
    print("\n".join(line for part, result in results.items() for line in table(part, result)))
    print(f"\n{OUT / 'bench.json'}")
    return 0 if all(claim["holds"] for result in results.values() for claim in result["claims"]) else 1


def run(part: str) -> dict[str, Any]:
    """One part's rows and claims."""
    started = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - started:6.0f} s] {what}", file=sys.stderr, flush=True)

    if part == "mnist":
        from bench import mnist

        return mnist.run(OUT / "mnist", cache_dir=ROOT / ".cache" / "datasets", say=say)
    from bench import fashion

    return fashion.run(fashion.CONFIG, say=say)


def table(part: str, result: dict[str, Any]) -> list[str]:
    """The rows, then the claims, for people."""
    rows = [flat(row) for row in result["rows"]]
    widths = {key: max(len(key), *(len(row[key]) for row in rows)) for key in rows[0]}
    lines = ["", part, "  ".join(key.rjust(width) for key, width in widths.items())]
    lines += ["  ".join(row[key].rjust(width) for key, width in widths.items()) for row in rows]
    for claim in result["claims"]:
        by = f" ({claim['by']})" if claim.get("by") else ""
        lines.append(f"{'holds' if claim['holds'] else 'SHORT':<6} {claim['claim']}: {claim['measured']:.4g}{by}")
    return lines


def flat(row: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """A row's figures as text, nested ones under dotted names."""
    cells: dict[str, str] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            cells |= flat(value, f"{prefix}{key}.")
        else:
            cells[prefix + key] = f"{value:.4f}" if isinstance(value, float) else str(value)
    return cells


def commit() -> str:
    """The commit that is measured."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
