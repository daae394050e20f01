"""What the statistics of the examples say about a dataset, for people. Imports no TensorFlow before it reads any."""

import posixpath
from typing import Final

from tensorflow_metadata.proto.v0 import statistics_pb2

from roadworthy.models.config import Settings
from roadworthy.serving.contract import HEIGHT_KEY, LABEL_TEXT_KEY, WIDTH_KEY

_SPLIT_PREFIX: Final = "Split-"
_STATISTICS_FILE: Final = "FeatureStats.pb"


class Sides(Settings):
    """How long one side of the images is, pixels."""

    smallest: int
    median: int
    largest: int


class SplitSummary(Settings):
    """One split: its images, and how many of each label."""

    split: str
    images: int
    labels: dict[str, int]
    height: Sides
    width: Sides


def read_summaries(statistics_dir: str) -> tuple[SplitSummary, ...]:
    """Reads what `StatisticsGen` wrote with `image_statistics`.

    Args:
        statistics_dir: folder of its artifact, on this machine or in a bucket.

    Returns:
        Every split that has images, the largest first.
    """
    from tfx.dsl.io import fileio

    files = sorted(fileio.glob(f"{statistics_dir}/{_SPLIT_PREFIX}*/{_STATISTICS_FILE}"))
    summaries = [
        _summary(_split(file), dataset) for file in files for dataset in _read(file).datasets if dataset.num_examples
    ]
    return tuple(sorted(summaries, key=lambda summary: -summary.images))


def _split(file: str) -> str:
    return posixpath.basename(posixpath.dirname(file)).removeprefix(_SPLIT_PREFIX)


def _read(path: str) -> statistics_pb2.DatasetFeatureStatisticsList:
    from tfx.dsl.io import fileio

    with fileio.open(path, "rb") as file:
        return statistics_pb2.DatasetFeatureStatisticsList.FromString(file.read())


def _summary(split: str, dataset: statistics_pb2.DatasetFeatureStatistics) -> SplitSummary:
    features = {".".join(feature.path.step): feature for feature in dataset.features}
    buckets = features[LABEL_TEXT_KEY].string_stats.rank_histogram.buckets
    return SplitSummary(
        split=split,
        images=dataset.num_examples,
        labels={bucket.label: round(bucket.sample_count) for bucket in sorted(buckets, key=lambda one: one.label)},
        height=_sides(features[HEIGHT_KEY]),
        width=_sides(features[WIDTH_KEY]),
    )


def _sides(feature: statistics_pb2.FeatureNameStatistics) -> Sides:
    numbers = feature.num_stats
    return Sides(smallest=round(numbers.min), median=round(numbers.median), largest=round(numbers.max))
