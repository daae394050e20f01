import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.components.ingest.splits import split_index

shares_lists = st.lists(st.integers(1, 1000), min_size=1, max_size=5)


@given(st.binary(), shares_lists)
def test_an_image_falls_in_the_split_whose_buckets_hold_its_hash(content, shares):
    bucket = int(hashlib.sha256(content).hexdigest(), 16) % sum(shares)
    index = split_index(content, shares)

    assert sum(shares[:index]) <= bucket < sum(shares[: index + 1])


@pytest.mark.parametrize(("index", "share"), [(0, 0.6), (1, 0.1), (2, 0.3)])
def test_splits_get_their_shares(index, share):
    images = 5000
    counts = Counter(split_index(number.to_bytes(4, "big"), [6, 1, 3]) for number in range(images))

    assert counts[index] / images == pytest.approx(share, abs=0.02)
