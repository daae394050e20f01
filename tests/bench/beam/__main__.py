"""`make bench-beam`: what more processes bring to the data nodes, on photos of 640 px."""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from bench import claims
from bench.beam import photos
from bench.claims import ROOT, Result, Say, at_least, at_most
from contracts.data_artifacts import differing_figures, differing_files

OUT: Final = ROOT / "runs" / "bench-beam"
NODES: Final = ("ingest", "statistics")
PROCESSES: Final = (1, 2)
# `seconds` of the node, `whole_s` of its process.
Seconds = dict[str, float]


@dataclass(frozen=True)
class Work:
    """How much a node has to do.

    Attributes:
        photos: images to ingest.
        links: statistics are taken of so many links to each file that ingest wrote, as they take much less time.
        rounds: how often it is measured, one process and two in turn.
    """

    photos: int
    links: int = 1
    rounds: int = 3


LARGE: Final = Work(36_000, links=6)
SMALL: Final = (Work(300), Work(1_000), Work(3_000))


def main() -> int:
    """Returns 0 if every claim holds, else 1."""
    parser = argparse.ArgumentParser("bench.beam", description=__doc__)
    given = claims.chosen(parser, PARTS)
    return claims.run({name: PARTS[name] for name in given.parts}, OUT)


def large(say: Say) -> Result:
    """Work that takes minutes."""
    rows = _rows(LARGE, say)
    held = [at_least(f"two processes, times faster at {row['node']}", row["times"], 1.6) for row in rows]
    differing = sum(row["differing"] for row in rows)
    held.append(at_most("files of examples and figures of statistics that differ for two processes", differing, 0))
    return {"rows": rows, "claims": held}


def small(say: Say) -> Result:
    """From what size on a second process pays."""
    return {"rows": [row for work in SMALL for row in _rows(work, say)], "claims": []}


def _rows(work: Work, say: Say) -> list[Result]:
    data = OUT / "photos" / str(work.photos)
    say(f"writing {work.photos:,} photos")
    mean_bytes = photos.write_photos(data, work.photos)
    seconds: dict[tuple[str, int], list[Seconds]] = {(node, count): [] for node in NODES for count in PROCESSES}
    for _ in range(work.rounds):
        for node in NODES:
            for count in PROCESSES:
                source = data if node == "ingest" else _linked(OUT / f"ingest-{count}", work.links)
                seconds[node, count].append(_seconds(node, count, source))
                load = Path("/proc/loadavg").read_text().split()[0]
                say(f"{node}, {count} process(es): {seconds[node, count][-1]['seconds']:.1f} s, load {load}")
    return [_row(node, work, mean_bytes, seconds) for node in NODES]


def _row(node: str, work: Work, mean_bytes: int, seconds: Mapping[tuple[str, int], list[Seconds]]) -> Result:
    one, two = (median(taken["seconds"] for taken in seconds[node, count]) for count in PROCESSES)
    all_one, all_two = (median(taken["whole_s"] for taken in seconds[node, count]) for count in PROCESSES)
    return {
        "node": node,
        "photos": work.photos * (work.links if node == "statistics" else 1),
        "mean_bytes": mean_bytes,
        "one_s": one,
        "two_s": two,
        "times": one / two,
        "with_imports.one_s": all_one,
        "with_imports.two_s": all_two,
        "differing": _differing(node),
    }


def _linked(examples: Path, links: int) -> Path:
    """An artifact of so many links to each file of another one."""
    made = examples.with_name(f"{examples.name}-linked")
    shutil.rmtree(made, ignore_errors=True)
    for split in examples.glob("Split-*"):
        files = sorted(split.iterdir())
        total = len(files) * links
        (made / split.name).mkdir(parents=True)
        for number in range(total):
            os.link(files[number % len(files)], made / split.name / f"data_tfrecord-{number:05}-of-{total:05}.gz")
    return made


def _seconds(node: str, workers: int, source: Path) -> Seconds:
    target = OUT / f"{node}-{workers}"
    shutil.rmtree(target, ignore_errors=True)
    command = [sys.executable, "-m", "bench.beam.node", node, str(workers), str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    answer: Seconds = json.loads(done.stdout.splitlines()[-1])
    return answer


def _differing(node: str) -> int:
    one, two = (OUT / f"{node}-{workers}" for workers in PROCESSES)
    return len(differing_files(one, two) if node == "ingest" else differing_figures(one, two))


PARTS: Final = {"large": large, "small": small}


if __name__ == "__main__":
    sys.exit(main())
