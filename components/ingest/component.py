"""Ingests labelled images: a folder a class in, splits of `tf.Example` out."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Final

from google.protobuf import struct_pb2
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto import example_gen_pb2, range_config_pb2

from roadworthy.components.ingest.driver import Driver
from roadworthy.components.ingest.executor import MAX_BAD_FRACTION, Executor
from roadworthy.serving.contract import IMAGE_KEY

PLACEHOLDER: Final = "{"
DEFAULT_SPLITS: Final[Mapping[str, int]] = {"train": 6, "val": 1, "test": 3}


class ImageFolderExampleGen(FileBasedExampleGen):
    """An ExampleGen for images in one folder a class.

    Every image is decoded once; those that can't be are left out and listed in `bad_images.json` at the artifact's
    root, beside `labels.json`, the sorted class names. An image's content decides its split, so copies stay together.
    A file added, removed, renamed or changed leads to a new execution; otherwise TFX reuses the last one.

    Outputs:
        examples: `Examples` with gzipped TFRecords; features `image/encoded`, `image/format`, `image/height`,
            `image/width`, `image/filename` (relative to the data folder), `image/class/label`, `image/class/text`.
    """

    EXECUTOR_SPEC = BeamExecutorSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self,
        path: str,
        *,
        splits: Mapping[str, int] = DEFAULT_SPLITS,
        max_bad_fraction: float = 0.01,
        span: int | None = None,
        base: str | RuntimeParameter | None = None,
    ) -> None:
        """Describes what to ingest; nothing is read before the node runs.

        Args:
            path: the data folder, absolute. With `{SPAN}` (or `{YYYY}`, `{MM}`, `{DD}`) in it, a pattern of folders
                of which one is ingested, for data that arrives in batches.
            splits: hash buckets by split, at least 1 each; the first split is the one trained on.
            max_bad_fraction: share of unreadable images above which the node fails, in [0, 1).
            span: which span to ingest; the latest when None. Only for paths with a placeholder.
            base: in place of the path up to its first placeholder, on this machine or in a bucket.
        """
        path_base, pattern = base_and_pattern(path)
        settings = struct_pb2.Struct()
        settings[MAX_BAD_FRACTION] = max_bad_fraction
        custom_config = example_gen_pb2.CustomConfig()
        custom_config.custom_config.Pack(settings)
        super().__init__(
            input_base=base or path_base,
            input_config=example_gen_pb2.Input(
                splits=[example_gen_pb2.Input.Split(name="images", pattern=pattern)],
            ),
            output_config=_output(splits),
            custom_config=custom_config,
            range_config=_range(span),
        )


def base_and_pattern(path: str) -> tuple[str, str]:
    """Parts a path before the first name with a placeholder: `/data/day-{SPAN}` into `/data` and `day-{SPAN}`.

    The pattern of a path without a placeholder is `.`, the folder itself.
    """
    scheme, remote, rest = path.rpartition("://")
    parts = PurePath(rest).parts
    first = next((index for index, part in enumerate(parts) if PLACEHOLDER in part), len(parts))
    return f"{scheme}{remote}{PurePath(*parts[:first])}", str(PurePath(*parts[first:]))


def _output(splits: Mapping[str, int]) -> example_gen_pb2.Output:
    buckets = [example_gen_pb2.SplitConfig.Split(name=name, hash_buckets=share) for name, share in splits.items()]
    return example_gen_pb2.Output(
        split_config=example_gen_pb2.SplitConfig(splits=buckets, partition_feature_name=IMAGE_KEY)
    )


def _range(span: int | None) -> range_config_pb2.RangeConfig | None:
    if span is None:
        return None
    return range_config_pb2.RangeConfig(
        static_range=range_config_pb2.StaticRange(start_span_number=span, end_span_number=span)
    )
