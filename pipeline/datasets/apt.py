"""Takes files out of a Debian or Ubuntu package, without root and without touching the system's state."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from roadworthy.serving.errors import DataError


def is_available() -> bool:
    """Whether this machine has apt and dpkg."""
    return all(shutil.which(tool) for tool in ("apt-get", "dpkg"))


def unpack_package(name: str, *, cache_dir: Path) -> Path:
    """Downloads a package with the system's own sources and keys, and unpacks it.

    Args:
        name: the package.
        cache_dir: where apt's private lists and the unpacked package are kept; unpacked once.

    Returns:
        The folder that stands for `/` in the package.

    Raises:
        DataError: apt can't find or fetch the package, it can't be unpacked, or `cache_dir` can't be written.
    """
    root = cache_dir / name
    if root.is_dir():
        return root
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_dir.resolve(), prefix=f".{name}-") as aside:
            package = _download(name, Path(aside), cache_dir.resolve() / "apt")
            _require(_run(["dpkg", "-x", str(package), "root"], cwd=Path(aside)), f"unpack {package.name}")
            Path(aside, "root").rename(root)
    except OSError as error:
        raise DataError(f"{cache_dir} must be a folder this user can write. Received: {error}.") from error
    return root


def _download(name: str, folder: Path, private: Path) -> Path:
    """First with the system's package lists; a system without any gets lists of its own below `private`."""
    apt = ["apt-get", "-qq", "-o", "APT::Sandbox::User="]
    if _run([*apt, "download", name], cwd=folder).returncode:
        for part in ("lists/partial", "archives/partial"):
            (private / part).mkdir(parents=True, exist_ok=True)
        apt += ["-o", f"Dir::State::lists={private / 'lists'}", "-o", f"Dir::Cache={private}"]
        # A broken third-party source fails the whole update; whether our package can be had shows in the download.
        _run([*apt, "update"], cwd=folder)
        _require(_run([*apt, "download", name], cwd=folder), f"fetch the package {name}")
    return next(folder.glob("*.deb"))


def _run(command: list[str], *, cwd: Path) -> subprocess.CompletedProcess[str]:
    # The commands are fixed words and paths of ours, and no shell reads them.
    return subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)  # noqa: S603


def _require(done: subprocess.CompletedProcess[str], what: str) -> None:
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        raise DataError(
            f"{done.args[0]} must {what}. Received: {said}. Is there a network, and an apt source that has it?"
        )
