"""A version folder copied to gs://, where containers fetch it."""

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from roadworthy.serving.manifest import MANIFEST_FILE, manifest
from roadworthy.serving.vertex.errors import telling
from roadworthy.serving.vertex.place import Place

if TYPE_CHECKING:
    from google.cloud.storage import Bucket

GS: Final = "gs://"


def stage(version_dir: Path, target: str, *, place: Place) -> None:
    """Copies a version folder; what is there already is left, so that an interrupted copy goes on.

    The manifest comes last: whoever finds it finds all the rest.

    Args:
        version_dir: a version folder.
        target: gs:// folder, for these files alone.
        place: whose project is used.

    Raises:
        DeployError: the bucket can't be written to.
    """
    bucket_name, _, prefix = target.removeprefix(GS).partition("/")
    with telling(f"Copying the model to {target}", place):
        from google.cloud import storage

        bucket = storage.Client(project=place.project).bucket(bucket_name)
        last = bucket.blob(f"{prefix}/{MANIFEST_FILE}")
        if last.exists(timeout=place.call_s):
            return
        for file in sorted(path for path in version_dir.rglob("*") if path.is_file()):
            name = file.relative_to(version_dir).as_posix()
            if name != MANIFEST_FILE:
                _put(bucket, f"{prefix}/{name}", file, timeout_s=place.call_s)
        last.upload_from_string(manifest(version_dir), content_type="application/json", timeout=place.call_s)


def _put(bucket: "Bucket", name: str, file: Path, *, timeout_s: float) -> None:
    """Uploads a file unless its very contents are there."""
    found = bucket.get_blob(name, timeout=timeout_s)
    if found is not None and found.size == file.stat().st_size and found.md5_hash == _md5(file):
        return
    # Of two that stage the same model at once, both write the same bytes; a third one's would meet this.
    generation = found.generation if found is not None else 0
    bucket.blob(name).upload_from_filename(str(file), if_generation_match=generation, timeout=timeout_s)


def _md5(file: Path) -> str:
    with file.open("rb") as opened:
        return base64.b64encode(
            hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).digest()
        ).decode()
