"""What names a version's files in labels and folders."""

from pathlib import Path
from typing import Final

from roadworthy.serving.errors import DeployError, ServeError
from roadworthy.serving.manifest import digest

# Google's labels hold 63 characters, a SHA-256 sum has 64 digits; half of it still tells versions apart.
DIGEST_DIGITS: Final = 32


def digest_label(version_dir: Path) -> str:
    """The first half of the SHA-256 sum over a version folder.

    Raises:
        DeployError: the folder can't be read.
    """
    try:
        return digest(version_dir)[:DIGEST_DIGITS]
    except (ServeError, OSError) as error:
        raise DeployError(f"{version_dir} must be a readable model. Received: {error}") from error
