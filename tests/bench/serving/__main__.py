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

    result = comparison.compare(models.dense(), ours=comparison.OURS_BY_PROCESSES, say=say)
    return result | {"claims": comparison.dense_claims(result["rows"])}


def image(say: Say) -> Result:
    """EfficientNet-Lite0 behind every server."""
    from bench.serving import batching, comparison, models
    from bench.serving.servers import OURS

    result = comparison.compare(models.lite0(side=96), ours={OURS: batching.batching_flags()}, say=say)
    return result | {"claims": comparison.image_claims(result["rows"])}


def limit(say: Say) -> Result:
    """EfficientNet-Lite0 behind our server, and without one."""
    from bench.serving import limit

    return limit.run(say)


def litert(say: Say) -> Result:
    """int8 LiteRT beside its SavedModel."""
    from bench.serving import litert

    return litert.run(say)


def swaps(say: Say) -> Result:
    """Versions that come and go under load."""
    from bench.serving import swaps

    return swaps.run(say)


def overload(say: Say) -> Result:
    """More requests than the server can carry."""
    from bench.serving import overload

    return overload.run(say)


PARTS: Final = {
    "dense": dense,
    "image": image,
    "limit": limit,
    "litert": litert,
    "swaps": swaps,
    "overload": overload,
}


if __name__ == "__main__":
    sys.exit(main())
