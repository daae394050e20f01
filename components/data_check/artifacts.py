"""What the data check leaves behind."""

from tfx.types import Artifact


class DataVerdict(Artifact):
    """Says that no anomaly was found: `verdict.json` with the splits that were checked."""

    TYPE_NAME = "roadworthy.DataVerdict"
