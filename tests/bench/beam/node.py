"""Runs one data node in a process of its own, as `roadworthy run` would, and tells how long it took.

python -m bench.beam.node ingest|statistics WORKERS DATA ARTIFACT

As in a run, what several workers need is imported beside what this process imports. `seconds` begins with the node,
`whole_s` with the process.
"""

import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path

from roadworthy.pipeline.beam.arguments import beam_arguments
from roadworthy.pipeline.beam.nursery import DATA_MODULES, nursery


def main() -> None:
    started = time.monotonic()
    node, count, source, target = sys.argv[1:]
    with nursery(*DATA_MODULES) if int(count) > 1 else nullcontext():
        from bench.beam import nodes

        run = {"ingest": nodes.ingest, "statistics": nodes.statistics}[node]
        begun = time.monotonic()
        run(beam_arguments(int(count)), Path(source), Path(target))
    sys.stderr.flush()
    print(json.dumps({"seconds": time.monotonic() - begun, "whole_s": time.monotonic() - started}))


if __name__ == "__main__":
    main()
