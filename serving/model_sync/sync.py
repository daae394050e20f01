"""One round of the sync: what is newest at the source is on the disk, whole and verified, or is not there at all."""

import logging
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from roadworthy.serving.errors import ServeError
from roadworthy.serving.manifest import MANIFEST_FILE, verify_manifest
from roadworthy.serving.model_sync.source import Source
from roadworthy.serving.repository import MODEL_NAME, version_dirs

_LOG: Final = logging.getLogger(__name__)
_ASIDE_PREFIX: Final = ".syncing-"
_VERSION: Final = re.compile("[0-9]{1,19}")
_PARTS: Final = 3

Versions = Mapping[int, frozenset[str]]


@dataclass
class Round:
    """What a round did; each entry is <model>/<version>.

    Attributes:
        fetched: now on the disk, and were not before.
        removed: were on the disk, and are not wanted any more.
        failed: what is wanted and is not there, with the reason.
        present: versions wanted that are on the disk.
    """

    fetched: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    present: int = 0


def sync(source: Source, root: Path, *, keep: int) -> Round:
    """Brings the newest versions of every model to the disk, then removes those that are no longer wanted.

    A version is fetched into a folder aside, checked against its manifest and renamed. A model loses no version while a
    newer one could not be fetched, nor because the source names no version of it any more.

    Args:
        source: where versions are published.
        root: folder of <model>/<version>/ folders that a server watches.
        keep: newest versions of each model to have, >= 1.

    Raises:
        ServeError: the source can't be listed.
    """
    done = Round()
    for stale in root.glob(f"*/{_ASIDE_PREFIX}*"):
        shutil.rmtree(stale)
    for model, versions in published(source.names()).items():
        wanted = sorted(versions, reverse=True)[:keep]
        _bring(source, root / model, {number: versions[number] for number in wanted}, done)
    return done


def published(names: Iterable[str]) -> dict[str, Versions]:
    """The versions of every model whose manifest is there, with the names of their files.

    What is not <model>/<version>/<path> is somebody else's; a path that leads out of its folder makes its version none.
    """
    found: dict[str, dict[int, set[str]]] = {}
    unfit: set[tuple[str, int]] = set()
    for name in names:
        parts = name.split("/", _PARTS - 1)
        # The placeholder of a folder, which consoles make, is no file.
        if len(parts) < _PARTS or name.endswith("/"):
            continue
        model, version, path = parts
        if not (MODEL_NAME.fullmatch(model) and _VERSION.fullmatch(version)):
            continue
        if _leads_out(path):
            unfit.add((model, int(version)))
        found.setdefault(model, {}).setdefault(int(version), set()).add(name)
    return {
        model: {
            number: frozenset(files)
            for number, files in versions.items()
            if (model, number) not in unfit and any(name.split("/", 2)[2] == MANIFEST_FILE for name in files)
        }
        for model, versions in found.items()
    }


def _leads_out(path: str) -> bool:
    return (
        path.startswith("/") or "\\" in path or "\0" in path or any(part in ("", ".", "..") for part in path.split("/"))
    )


def _bring(source: Source, model_dir: Path, wanted: Versions, done: Round) -> None:
    missing = False
    for number, names in wanted.items():
        called = f"{model_dir.name}/{number}"
        if (model_dir / str(number)).is_dir():
            done.present += 1
            continue
        try:
            _fetch_version(source, model_dir, number, names)
        except (ServeError, OSError) as error:
            missing = True
            done.failed[called] = str(error)
            _LOG.error("%s could not be fetched, what is here stays: %s", called, error)
        else:
            done.present += 1
            done.fetched.append(called)
            _LOG.info("%s fetched and verified", called)
    if wanted and not missing:
        _remove_others(model_dir, wanted, done)


def _fetch_version(source: Source, model_dir: Path, number: int, names: Iterable[str]) -> None:
    model_dir.mkdir(exist_ok=True)
    aside = model_dir / f"{_ASIDE_PREFIX}{uuid.uuid4().hex}"
    try:
        for name in sorted(names):
            target = aside / PurePosixPath(name.split("/", 2)[2])
            target.parent.mkdir(parents=True, exist_ok=True)
            source.fetch(name, target)
            _to_disk(target)
        verify_manifest(aside)
        aside.rename(model_dir / str(number))
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _to_disk(path: Path) -> None:
    """Contents reach the disk before the rename that says they are there."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _remove_others(model_dir: Path, wanted: Versions, done: Round) -> None:
    for number, path in version_dirs(model_dir).items():
        if number not in wanted:
            # Renamed first, so that no server finds half of it.
            aside = model_dir / f"{_ASIDE_PREFIX}{uuid.uuid4().hex}"
            path.rename(aside)
            shutil.rmtree(aside)
            done.removed.append(f"{model_dir.name}/{number}")
            _LOG.info("%s/%d removed: newer versions are here", model_dir.name, number)
