"""`make bench-beam`: what more processes bring to the data nodes, on photos of 640 px."""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from bench import claims
from bench.beam import photos
from bench.claims import ROOT, Result, Say, at_least, at_most
from contracts.data_artifacts import differing_figures, differing_files

OUT: Final = ROOT / "runs" / "bench-beam"
NODE: Final = Path(__file__).with_name("node.py")
LARGE: Final = 12_000
SMALL: Final = (1_000, 3_000)
_NODES: Final = ("ingest", "statistics")


def main() -> int:
    """Returns 0 if every claim holds, else 1."""
    parser = argparse.ArgumentParser("bench.beam", description=__doc__)
    given = claims.chosen(parser, PARTS)
    return claims.run({name: PARTS[name] for name in given.parts}, OUT)


def large(say: Say) -> Result:
    """Work that takes minutes."""
    rows = _rows(LARGE, say=say)
    held = [at_least(f"two processes, times faster at {node}", _speedup(rows, node), 1.6) for node in _NODES]
    differing = sum(row["differing"] for row in rows)
    held.append(at_most("files of examples and figures of statistics that differ for two processes", differing, 0))
    return {"rows": rows, "claims": held}


def small(say: Say) -> Result:
    """From what size on a second process pays."""
    return {"rows": [row for count in SMALL for row in _rows(count, say=say)], "claims": []}


def _rows(count: int, *, say: Say) -> list[Result]:
    data = OUT / "photos" / str(count)
    say(f"writing {count:,} photos")
    mean_bytes = photos.write_photos(data, count)
    rows = []
    for workers in (1, 2):
        for node, source in zip(_NODES, (data, OUT / f"ingest-{workers}"), strict=True):
            seconds = _seconds(node, workers, source)
            say(f"{node}, {workers} process(es): {seconds:.1f} s")
            row = {"photos": count, "mean_bytes": mean_bytes, "node": node, "processes": workers, "seconds": seconds}
            rows.append(row | {"differing": _differing(node) if workers > 1 else 0})
    return rows


def _seconds(node: str, workers: int, source: Path) -> float:
    target = OUT / f"{node}-{workers}"
    shutil.rmtree(target, ignore_errors=True)
    command = [sys.executable, str(NODE), node, str(workers), str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return float(answer["seconds"])


def _differing(node: str) -> int:
    one, two = (OUT / f"{node}-{workers}" for workers in (1, 2))
    return len(differing_files(one, two) if node == "ingest" else differing_figures(one, two))


def _speedup(rows: list[Result], node: str) -> float:
    one, two = (row["seconds"] for row in rows if row["node"] == node)
    return float(one / two)


PARTS: Final = {"large": large, "small": small}


if __name__ == "__main__":
    sys.exit(main())
