"""Resolves the span of the data and its fingerprint before the executor runs, so that TFX knows what it may reuse."""

from collections.abc import Iterable
from typing import Any

from tfx.components.example_gen.driver import FileBasedDriver
from tfx.components.example_gen.input_processor import FileBasedInputProcessor
from tfx.proto import example_gen_pb2, range_config_pb2

from roadworthy.components.ingest.bucket import find_images, folder_of
from roadworthy.serving.errors import DataError


class ImageFolderInput(FileBasedInputProcessor):
    """Patterns that name the folder of a span, and a fingerprint of every file in it."""

    def __init__(
        self,
        input_base_uri: str,
        splits: Iterable[example_gen_pb2.Input.Split],
        range_config: range_config_pb2.RangeConfig | None = None,
    ) -> None:
        super().__init__(input_base_uri, splits, range_config)
        (self._split,) = splits

    def resolve_span_and_version(self) -> tuple[int, int | None]:
        """The span asked for, or the latest one; 0 when the path has no `{SPAN}`.

        Raises:
            DataError: no folder matches the path, or what stands for `{SPAN}` is not a number.
        """
        try:
            span, version = super().resolve_span_and_version()
        except ValueError as error:
            raise DataError(
                f"{folder_of(self._input_base_uri, self._split.pattern)} must match folders with a number for "
                f"{{SPAN}}. Received: {error}."
            ) from error
        return span, version

    def get_input_fingerprint(self, span: int, version: int | None) -> str:
        """A hash of paths, sizes and times of all files of the span.

        Raises:
            DataError: the folder can't be taken as labelled images.
        """
        pattern = self.get_pattern_for_span_version(self._split.pattern, span, version)
        return find_images(folder_of(self._input_base_uri, pattern)).fingerprint()


class Driver(FileBasedDriver):
    """TFX's driver of file-based ExampleGens, for folders of images."""

    def get_input_processor(
        self,
        splits: Iterable[example_gen_pb2.Input.Split],
        range_config: range_config_pb2.RangeConfig | None = None,
        input_base_uri: str | None = None,
    ) -> Any:
        """What resolves the span and the fingerprint."""
        return ImageFolderInput(str(input_base_uri), splits, range_config)
