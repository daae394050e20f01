"""A folder that Beam's workers share, on this machine or in a bucket."""

from apache_beam.io.filesystems import FileSystems


def make_folder(path: str) -> None:
    """Makes a folder where other workers may be making it too."""
    if not FileSystems.exists(path):
        try:
            FileSystems.mkdirs(path)
        except OSError:
            if not FileSystems.exists(path):
                raise
