"""`make bench-compress`: every claim about compression, measured on real data; a table, and JSON beside it."""

import argparse
import shutil
import sys
from typing import Final

from bench import claims
from bench.claims import ROOT, Result, Say

OUT: Final = ROOT / "runs" / "bench-compress"


def main() -> int:
    """Returns 0 if every claim holds, else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="forget earlier runs, so that every step is timed anew")
    given = claims.chosen(parser, PARTS)
    if given.fresh:
        for folder in (OUT, ROOT / "runs" / "bench"):
            shutil.rmtree(folder, ignore_errors=True)
    return claims.run({name: PARTS[name] for name in given.parts}, OUT)


def mnist(say: Say) -> Result:
    """TF-MOT's tutorial model, beside plain TF-MOT."""
    from bench import mnist

    return mnist.run(OUT / "mnist", cache_dir=ROOT / ".cache" / "datasets", say=say)


def fashion(say: Say) -> Result:
    """Eight recipes through the pipeline."""
    from bench import fashion

    return fashion.run(fashion.CONFIG, say=say)


PARTS: Final = {"mnist": mnist, "fashion": fashion}


if __name__ == "__main__":
    sys.exit(main())
