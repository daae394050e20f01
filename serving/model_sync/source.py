"""Where published versions come from: a bucket, or a folder that is mounted or copied."""

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from roadworthy.serving.errors import ServeError

_TIMEOUT_S: Final = 60.0


class Source(Protocol):
    """Files below <model>/<version>/, by name; a version's manifest is the last that is written."""

    def names(self) -> Iterable[str]:
        """The names of all files, as <model>/<version>/<path>.

        Raises:
            ServeError: they can't be listed.
        """
        ...

    def fetch(self, name: str, target: Path) -> None:
        """Copies one file to a path whose folder is there.

        Raises:
            ServeError: it can't be read.
            OSError: it can't be written.
        """
        ...


class FolderSource:
    """A model root on a disk; a `Source`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> list[str]:
        """The names of all files; links are none."""
        if not self._root.is_dir():
            raise ServeError(f"{self._root} must be a folder of <model>/<version>/ folders. Received: no such folder.")
        files = (path for path in self._root.rglob("*") if path.is_file() and not path.is_symlink())
        return [path.relative_to(self._root).as_posix() for path in files]

    def fetch(self, name: str, target: Path) -> None:
        """Copies one file."""
        shutil.copyfile(self._root / name, target)


class BucketSource:
    """A prefix of a bucket of Google Cloud Storage, with the environment's own credentials; a `Source`."""

    def __init__(self, bucket: str, prefix: str) -> None:
        """Asks for nothing yet.

        Args:
            bucket: its name.
            prefix: what every name begins with; empty or with a slash at its end.

        Raises:
            ServeError: the client's library is missing, or there are no credentials.
        """
        self._bucket_name, self._prefix = bucket, prefix
        self._bucket = _client().bucket(bucket)

    def names(self) -> list[str]:
        """The names of all objects, without the prefix."""
        with _asking(f"gs://{self._bucket_name}/{self._prefix}"):
            blobs = self._bucket.list_blobs(prefix=self._prefix, fields="items(name),nextPageToken", timeout=_TIMEOUT_S)
            return [blob.name.removeprefix(self._prefix) for blob in blobs]

    def fetch(self, name: str, target: Path) -> None:
        """Downloads one object; the library checks its CRC32C."""
        with _asking(f"gs://{self._bucket_name}/{self._prefix}{name}"):
            self._bucket.blob(self._prefix + name).download_to_filename(str(target), timeout=_TIMEOUT_S)


def source_of(address: str) -> Source:
    """The source that an address names: gs://BUCKET/PREFIX or a folder.

    Raises:
        ServeError: an address of another kind, or as `BucketSource`.
    """
    parts = urlsplit(address)
    if parts.scheme == "gs" and parts.netloc:
        prefix = parts.path.strip("/")
        return BucketSource(parts.netloc, f"{prefix}/" if prefix else "")
    if parts.scheme == "" and address:
        return FolderSource(Path(address))
    raise ServeError(f"--from must be gs://BUCKET/PREFIX or a folder. Received: {address or 'nothing'}.")


@contextlib.contextmanager
def _asking(address: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # Google's client, its transport and its credentials each have a tree of errors of their own.
        raise ServeError(f"{address} must be readable. Received: {type(error).__name__}: {error}") from error


def _client() -> Any:
    try:
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import storage
    except ModuleNotFoundError as error:
        raise ServeError("A bucket needs Google's client: pip install 'roadworthy[sync]'. Received: none.") from error
    try:
        return storage.Client()
    except (GoogleAuthError, OSError) as error:
        raise ServeError(
            f"Reading a bucket needs credentials. Received: {error}. In a cluster, bind the pod's service account by "
            "Workload Identity; elsewhere: gcloud auth application-default login."
        ) from error
