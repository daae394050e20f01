"""Which versions are served: the latest of every model below a root, looked up again every poll."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from roadworthy.serving.errors import RoadworthyError, ServeError
from roadworthy.serving.repository import MODEL_NAME, version_dirs
from roadworthy.serving.servables.base import Servable
from roadworthy.serving.servables.open import open_servable
from roadworthy.serving.server.version import State, Version
from roadworthy.serving.status import RequestError

_LOG: Final = logging.getLogger(__name__)
# A load that failed is tried again after one poll, then after twice as long each time, up to this.
_MAX_RETRY_S: Final = 60.0
# Versions of a model that are over and still reported; older ones are forgotten.
_ENDED_KEPT: Final = 16


class Manager:
    """Loads, swaps and unloads the versions below a model root.

    A new version is loaded before the old one is unloaded, and the old one is unloaded only when the last request in
    it is done. A version that can't be loaded is reported and tried again, while the one before it stays.
    """

    def __init__(self, model_root: Path, *, poll_interval_s: float = 1.0) -> None:
        """Checks the root; nothing is loaded before `poll` or `start`.

        Args:
            model_root: folder of <name>/<version>/ folders.
            poll_interval_s: seconds between two looks at the root, > 0.

        Raises:
            ServeError: the root is not a folder.
        """
        if not model_root.is_dir():
            raise ServeError(
                f"{model_root} must be a folder of <model>/<version>/ folders. "
                f"Received: {'a file' if model_root.exists() else 'no such folder'}. Push a model there first."
            )
        self._root = model_root
        self._poll_interval_s = poll_interval_s
        self._models: dict[str, dict[int, Version]] = {}
        # Guards the two dicts' shape; loads and unloads happen outside it, so requests never wait for them.
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._poller = threading.Thread(target=self._poll_forever, name="model-poller", daemon=True)

    def start(self) -> None:
        """Looks at the root once, so that what can be served is, then keeps looking in the background."""
        self.poll()
        if not self._models:
            _LOG.warning("%s has no <model>/<version>/ folder yet; waiting for the first", self._root)
        self._poller.start()

    def stop(self) -> None:
        """Stops looking and unloads everything, once the requests inside are done."""
        self._stopping.set()
        if self._poller.is_alive():
            self._poller.join()
        for name, known in self._models.items():
            for version in known.values():
                self._unload(name, version)

    def poll(self) -> None:
        """Brings what is served in line with what the root holds now."""
        try:
            for name in sorted(self._names_on_disk() | self._models.keys()):
                self._align(name, version_dirs(self._root / name))
        except OSError as error:
            # A root that is away for a moment must not take down what is loaded.
            _LOG.warning("%s can't be read, what is loaded stays: %s", self._root, error)

    @contextlib.contextmanager
    def use(self, name: str, number: int | None = None) -> Iterator[tuple[int, Servable]]:
        """Holds a version for one request; it isn't unloaded meanwhile.

        Args:
            name: the model.
            number: its version; None is the latest available.

        Yields:
            The version's number and its servable.

        Raises:
            RequestError: NOT_FOUND, no such model or version is available.
        """
        version, servable = self._enter(name, number)
        try:
            yield version.number, servable
        finally:
            version.leave()

    def statuses(self, name: str, number: int | None = None) -> list[tuple[int, State, str | None]]:
        """Number, state and error of a model's versions, newest first.

        Raises:
            RequestError: NOT_FOUND, no such model or version was ever seen.
        """
        with self._lock:
            known = sorted(self._models.get(name, {}).values(), key=lambda version: -version.number)
        found = [version for version in known if number in (None, version.number)]
        if not found:
            what = "any versions" if number is None else f"version {number}"
            raise RequestError(f"Could not find {what} of model {name}", code="NOT_FOUND")
        return [(version.number, version.state, version.error) for version in found]

    def _enter(self, name: str, number: int | None) -> tuple[Version, Servable]:
        with self._lock:
            known = self._models.get(name, {})
            wanted = sorted(known, reverse=True) if number is None else [number] if number in known else []
            for candidate in wanted:
                servable = known[candidate].enter()
                if servable is not None:
                    return known[candidate], servable
        asked = f"Latest({name})" if number is None else f"Specific({name}, {number})"
        raise RequestError(f"Servable not found for request: {asked}", code="NOT_FOUND")

    def _poll_forever(self) -> None:
        while not self._stopping.wait(self._poll_interval_s):
            self.poll()

    def _names_on_disk(self) -> set[str]:
        return {child.name for child in self._root.iterdir() if child.is_dir() and MODEL_NAME.fullmatch(child.name)}

    def _align(self, name: str, on_disk: dict[int, Path]) -> None:
        """Loads the latest version, then unloads the others; those stay while the latest can't be loaded."""
        latest = max(on_disk, default=None)
        if latest is not None:
            version = self._known(name, latest, on_disk[latest])
            if version.state is not State.AVAILABLE and not self._load(name, version):
                return
        for version in list(self._models.get(name, {}).values()):
            if version.number != latest:
                self._unload(name, version)
        self._forget(name)

    def _known(self, name: str, number: int, path: Path) -> Version:
        with self._lock:
            return self._models.setdefault(name, {}).setdefault(number, Version(number, path))

    def _load(self, name: str, version: Version) -> bool:
        """Loads a version unless its last failure is too fresh; says whether it is available now."""
        if time.monotonic() < version.retry_at:
            return False
        version.state = State.LOADING
        try:
            version.serve(open_servable(version.path))
        except (RoadworthyError, OSError, RuntimeError, ValueError, MemoryError) as error:
            self._report_failure(name, version, error)
            return False
        _LOG.info("%s version %d: available", name, version.number)
        return True

    def _report_failure(self, name: str, version: Version, error: Exception) -> None:
        wait_s = min(_MAX_RETRY_S, self._poll_interval_s * 2**version.attempts)
        version.attempts += 1
        version.retry_at = time.monotonic() + wait_s
        version.error, version.state = str(error), State.END
        _LOG.error("%s version %d can't be loaded, next try in %.0f s: %s", name, version.number, wait_s, error)

    def _unload(self, name: str, version: Version) -> None:
        if version.state is State.AVAILABLE:
            version.unload()
            _LOG.info("%s version %d: unloaded", name, version.number)

    def _forget(self, name: str) -> None:
        """Drops the oldest of the versions that are over, so that the list of a busy model stays short."""
        with self._lock:
            known = self._models.get(name, {})
            ended = sorted(number for number, version in known.items() if version.state is State.END)
            for number in ended[:-_ENDED_KEPT]:
                del known[number]
