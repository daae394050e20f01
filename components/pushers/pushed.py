"""Where a run's model is now, as a frozen value. Imports no TensorFlow or TFX."""

from typing import Final

from roadworthy.models.config import Settings

PUSHED_FILE: Final = "pushed.json"


class Pushed(Settings):
    """The version a blessed model has below its model root; no path and no version when none was blessed.

    Attributes:
        path: its folder, on this machine or in a bucket.
        version: its number.
        already: the same files were the latest version before.
    """

    path: str | None = None
    version: int | None = None
    already: bool = False
