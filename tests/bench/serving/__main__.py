"""`make bench-serving`: every claim about serving, measured on real servers; a table, and JSON beside it."""

import argparse
import shutil
import sys
from typing import Final

from bench import claims
from bench.claims import ROOT, Result, Say
from bench.serving.load import check_tools

OUT: Final = ROOT / "runs" / "bench-serving"


def main() -> int:
    """Returns 0 if every claim holds, else 1."""
    parser = argparse.ArgumentParser("bench.serving", description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="forget earlier runs, and make the models anew")
    given = claims.chosen(parser, PARTS)
    check_tools()
    if given.fresh:
        shutil.rmtree(OUT, ignore_errors=True)
    return claims.run({name: PARTS[name] for name in given.parts}, OUT)


def dense(say: Say) -> Result:
    """A small model behind every server."""
    from bench.serving import comparison, models

    result = comparison.compare(models.dense(), say=say)
    return result | {"claims": comparison.dense_claims(result["rows"])}


def image(say: Say) -> Result:
    """EfficientNet-Lite0 behind every server."""
    from bench.serving import comparison, models

    result = comparison.compare(models.lite0(side=96), say=say)
    return result | {"claims": comparison.image_claims(result["rows"])}


PARTS: Final = {"dense": dense, "image": image}


if __name__ == "__main__":
    sys.exit(main())
