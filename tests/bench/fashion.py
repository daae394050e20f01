"""EfficientNet-Lite0 on Fashion-MNIST through the pipeline, eight recipes in one run, and the same run again."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.claims import at_least, at_most

CONFIG: Final = Path(__file__).with_name("fashion.yaml")
ROADWORTHY: Final = [sys.executable, "-m", "roadworthy.pipeline.cli.main"]
# Exit code 2 says that no variant passed the gate; the document is printed all the same.
_ANSWERED: Final = (0, 2)
_POINT: Final = 0.01
_NARROW_SAVED_MODEL: Final = "narrow-folded"

_HEAVY: Final = ("Trainer", "Compressor.", "Scorecard")

Row = dict[str, Any]


def run(config: Path, *, say: Callable[[str], None]) -> dict[str, Any]:
    """Runs the config twice by the command line and holds the figures to what was promised.

    Returns:
        JSON-able rows and claims.
    """
    say(f"running {config}")
    first = run_once(config)
    say("the same run again")
    second = run_once(config)
    parent, variants = first["scorecard"]["parent"], first["scorecard"]["variants"]
    rows = [row(score, parent) for score in (parent, *variants)]
    return {
        "seconds": {"first": first["seconds"], "second": second["seconds"], **sweep_seconds(first)},
        "rows": rows,
        "claims": [*variant_claims(rows), *sweep_claims(first, second)],
        "nodes": {"first": first["nodes"], "second": second["nodes"]},
    }


def run_once(config: Path) -> dict[str, Any]:
    """The outcome of `roadworthy run --json`."""
    done = subprocess.run(
        [*ROADWORTHY, "run", "--json", str(config)], stdout=subprocess.PIPE, text=True, check=False
    )  # fmt: skip
    if done.returncode not in _ANSWERED:
        raise SystemExit(done.returncode)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def row(score: Row, parent: Row) -> Row:
    """One model's figures, relative to the parent where that is what was promised."""
    return {
        "variant": score["variant"],
        "format": score["format"],
        "accuracy": score["accuracy"],
        "drop": parent["accuracy"] - score["accuracy"],
        "gzip_ratio": parent["size_gzip_bytes"] / score["size_gzip_bytes"],
        "p50_ms": score["latency"]["p50_ms"],
        "speedup": parent["latency"]["p50_ms"] / score["latency"]["p50_ms"],
        "batch_speedup": score["latency"]["images_per_s"] / parent["latency"]["images_per_s"],
    }


def variant_claims(rows: list[Row]) -> list[Row]:
    """Size and speed, each by the best variant that stays within the points allowed."""
    float_ms = next(row["p50_ms"] for row in rows if row["variant"] == "litert")
    within_one = [row for row in rows[1:] if row["drop"] <= _POINT]
    narrow = [row for row in rows[1:] if row["variant"] == _NARROW_SAVED_MODEL and row["drop"] <= 1.5 * _POINT]
    litert = [row for row in within_one if row["format"] == "litert"]
    return [
        claim("12x smaller gzipped within 1.0 point", within_one, lambda row: row["gzip_ratio"], 12),
        claim("20x faster than the parent's SavedModel within 1.0 point", litert, lambda row: row["speedup"], 20),
        claim(
            "3x faster than the parent as float LiteRT within 1.0 point",
            litert,
            lambda row: float_ms / row["p50_ms"],
            3,
        ),
        claim("a channels SavedModel 1.5x faster, batch 1, within 1.5 points", narrow, lambda row: row["speedup"], 1.5),
        claim(
            "a channels SavedModel 1.5x faster, batch 32, within 1.5 points",
            narrow,
            lambda row: row["batch_speedup"],
            1.5,
        ),
    ]


def claim(text: str, rows: list[Row], figure: Callable[[Row], float], least: float) -> Row:
    """Whether the best of the rows reaches what was promised."""
    best = max(rows, key=figure, default=None)
    return at_least(text, figure(best) if best else 0.0, least, by=best and best["variant"])


def sweep_seconds(document: dict[str, Any]) -> dict[str, float]:
    """Wall time of the fine-tuning, and of all that the recipes added: their steps and the measuring of them."""
    of = {node["node"]: node["seconds"] for node in document["nodes"]}
    sweep = sum(seconds for node, seconds in of.items() if node.startswith(("Compressor.", "Scorecard")))
    return {"fine_tuning": of["Trainer"], "sweep": sweep}


def sweep_claims(first: dict[str, Any], second: dict[str, Any]) -> list[Row]:
    """What eight recipes cost, if the first run timed them, and that a second run does nothing anew."""
    heavy = [node for node in second["nodes"] if node["node"].startswith(_HEAVY)]
    anew = [node["node"] for node in heavy if node["state"] != "cached"]
    cached = at_most("a second run is all cache", len(anew), 0, by=", ".join(anew))
    if any(node["state"] == "cached" for node in first["nodes"] if node["node"].startswith(_HEAVY)):
        return [cached]  # --fresh times it
    seconds = sweep_seconds(first)
    ratio = seconds["sweep"] / seconds["fine_tuning"]
    return [at_most("eight recipes within 6x the fine-tuning", ratio, 6), cached]
