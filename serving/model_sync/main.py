"""`roadworthy-model-sync`: keeps a model server's disk in line with a bucket."""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from roadworthy.serving.errors import RoadworthyError, ServeError
from roadworthy.serving.model_sync.source import Source, source_of
from roadworthy.serving.model_sync.sync import Round, sync

_LOG: Final = logging.getLogger("roadworthy.serving.model_sync")
_EXAMPLES: Final = """examples:
  roadworthy-model-sync --from=gs://my-models/served --to=/models --once
  roadworthy-model-sync --from=gs://my-models/served --to=/models --interval=30 --keep=2
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Syncs once, or until it is told to stop.

    Args:
        arguments: the command line; None takes the process's own.

    Returns:
        Exit code: 0 after all is there or after SIGINT or SIGTERM, 2 when something could not be fetched with `--once`
        or for a fault of the command line.
    """
    given = parser().parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("roadworthy.serving").setLevel(logging.INFO)
    try:
        if not given.to.is_dir():
            raise ServeError(f"--to must be a folder that is there. Received: {given.to}.")
        source = source_of(given.source)
        if given.once:
            _check(sync(source, given.to, keep=given.keep), given)
        else:
            _forever(source, given)
    except RoadworthyError as error:
        sys.stderr.write(f"roadworthy-model-sync: {error}\n")
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    """The flags."""
    flags = argparse.ArgumentParser(
        "roadworthy-model-sync",
        description="Copies published versions to a folder that a model server watches, verified and in one step each.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = flags.add_argument
    variable = os.environ.get("MODEL_SOURCE", "")
    add("--from", dest="source", default=variable, help="gs://BUCKET/PREFIX or a folder (variable MODEL_SOURCE)")
    add("--to", type=Path, required=True, help="folder of <model>/<version>/ folders")
    add("--keep", type=_count, default=2, help="newest versions of each model to have (%(default)s)")
    add("--once", action="store_true", help="one round; exit code 2 unless every version wanted is there")
    add("--interval", type=_seconds, default=30.0, help="seconds between two rounds (%(default)s)")
    add("--heartbeat", type=Path, help="file to touch after each round, for a liveness probe")
    return flags


def _check(done: Round, given: argparse.Namespace) -> None:
    if done.failed:
        name, reason = next(iter(done.failed.items()))
        raise ServeError(f"Every version wanted must be fetched. Received: {len(done.failed)} failed, {name}: {reason}")
    if not done.present:
        raise ServeError(
            f"{given.source} must hold <model>/<version>/ with a manifest.json. "
            "Received: no such version. Push one first."
        )


def _forever(source: Source, given: argparse.Namespace) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        try:
            sync(source, given.to, keep=given.keep)
        except (ServeError, OSError) as error:
            _LOG.error("what is here stays: %s", error)
        if given.heartbeat is not None:
            given.heartbeat.touch()
        stop.wait(given.interval)


def _count(word: str) -> int:
    if (value := int(word)) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1. Received: {word}.")
    return value


def _seconds(word: str) -> float:
    if not (value := float(word)) > 0:
        raise argparse.ArgumentTypeError(f"must be above 0. Received: {word}.")
    return value


if __name__ == "__main__":
    sys.exit(main())
