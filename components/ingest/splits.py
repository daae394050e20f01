"""Decides from an image's bytes alone which split it falls in, so that copies of one image never meet across splits."""

import bisect
import hashlib
import itertools
from collections.abc import Sequence


def split_index(content: bytes, shares: Sequence[int]) -> int:
    """The split an image belongs to: its SHA-256, modulo the sum of all shares, as TFX's ExampleGens do it.

    Args:
        content: the bytes of the image's file.
        shares: how many of the hash buckets each split gets, at least 1 each.

    Returns:
        Index into `shares`.
    """
    ends = list(itertools.accumulate(shares))
    bucket = int.from_bytes(hashlib.sha256(content).digest(), "big") % ends[-1]
    return bisect.bisect(ends, bucket)
