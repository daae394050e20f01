"""What executors of several components read from TFX artifacts in the same way."""

from typing import Any

from tfx.types import artifact_utils

# Inputs or outputs of an executor: key -> artifacts.
Artifacts = dict[str, list[Any]]


def split_globs(examples: list[Any], split: str) -> list[str]:
    """Globs of a split's record files, one for each Examples artifact."""
    return [f"{uri}/*" for uri in artifact_utils.get_split_uris(examples, split)]
