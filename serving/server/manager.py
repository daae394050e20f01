"""Which versions of which models are served, looked up again every poll."""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from roadworthy.serving.errors import ServeError
from roadworthy.serving.repository import MODEL_NAME, version_dirs
from roadworthy.serving.servables.base import Servable
from roadworthy.serving.servables.open import open_servable
from roadworthy.serving.server.folder import load, stamp_of
from roadworthy.serving.server.model_config import ModelConfig, read_asked_config
from roadworthy.serving.server.served import Served
from roadworthy.serving.server.version import State, Version
from roadworthy.serving.server.warm_up import warm_up
from roadworthy.serving.status import RequestError

_LOG: Final = logging.getLogger(__name__)
# The longest wait before a failed load is tried again.
_MAX_RETRY_S: Final = 60.0
# Gives the models to serve, each time anew.
Source = Callable[[], Sequence[ModelConfig]]
# Versions of a model that are over and still reported; older ones are forgotten.
_ENDED_KEPT: Final = 16


@dataclass(frozen=True)
class Loading:
    """How versions are looked for and loaded.

    Attributes:
        poll_interval_s: seconds between two looks at the folders, > 0.
        retries: how often a failed load is tried again; None without end.
        retry_interval_s: seconds before it is; None: one poll, then twice as long each time, up to a minute.
        open_version: loads the version in a folder.
    """

    poll_interval_s: float = 1.0
    retries: int | None = None
    retry_interval_s: float | None = None
    open_version: Callable[[Path], Servable] = open_servable

    def retry_after_s(self, attempts: int) -> float:
        """Seconds until a load is tried again that failed so many times; infinite when it isn't."""
        if self.retries is not None and attempts > self.retries:
            return math.inf
        if self.retry_interval_s is not None:
            return self.retry_interval_s
        return min(_MAX_RETRY_S, self.poll_interval_s * 2.0 ** (attempts - 1))


class Manager(Served):
    """Loads, swaps and unloads the versions of models.

    A new version is loaded before the old one is unloaded, and the old one is unloaded only when the last request in
    it is done. A version that can't be loaded is reported and tried again, while the one before it stays.
    """

    def __init__(self, source: Source, *, loading: Loading = Loading()) -> None:
        """Loads nothing yet; `poll` and `start` do.

        Args:
            source: gives the models to serve, each time anew; may raise OSError when they can't be told for now.
            loading: how versions are looked for and loaded.
        """
        super().__init__()
        self._source = source
        self._loading = loading
        self._troubles: dict[str, str] = {}
        # One look at a time: a reload waits for the poller's.
        self._looking = threading.Lock()
        self._stopping = threading.Event()
        self._poller = threading.Thread(target=self._poll_forever, name="model-poller", daemon=True)

    @classmethod
    def of_root(cls, model_root: Path, *, loading: Loading = Loading()) -> "Manager":
        """A manager of `models_below` a folder; errors as there."""
        return cls(models_below(model_root), loading=loading)

    @classmethod
    def of_models(cls, configs: Sequence[ModelConfig], *, loading: Loading = Loading()) -> "Manager":
        """A manager of the models given, until others are with `reload`."""
        return cls(lambda: configs, loading=loading)

    def reload(self, configs: Sequence[ModelConfig]) -> None:
        """Serves these models from now on and no others; returns when that is so.

        Raises:
            RequestError: UNKNOWN, a model has no version that could be loaded; FAILED_PRECONDITION, a label is of a
                version that is not available. What could be done was done.
        """
        self._source = lambda: configs
        self.poll()
        for config in configs:
            available = {number for number, state, _ in self._told(config.name) if state is State.AVAILABLE}
            if not available:
                raise RequestError(f"1 servable(s) did not become available: {{{config.name}}}", code="UNKNOWN")
            for label, number in config.labels.items():
                if number not in available:
                    raise RequestError(
                        f"Requested label assignment to version {number} of model {config.name}, which is not "
                        f"currently available for inference: {label}",
                        code="FAILED_PRECONDITION",
                    )

    def reload_asked(self, message: Any) -> None:
        """`reload` with what a client sends.

        Raises:
            RequestError: as `reload`; INVALID_ARGUMENT, PERMISSION_DENIED, a config that can't be had.
        """
        self.reload(read_asked_config(message, prefixes=self.log_prefixes()))

    def start(self) -> None:
        """Looks once, so that what can be served is, then keeps looking in the background."""
        self.poll()
        if not self._models:
            _LOG.warning("there is no <model>/<version>/ folder yet; waiting for the first")
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
        """Brings what is served in line with what is there now."""
        with self._looking:
            try:
                wanted = {config.name: config for config in self._source()}
                with self._lock:
                    self._configs = wanted
                self._changed()
                for name in sorted(wanted.keys() | self._models.keys()):
                    self._align(name, wanted.get(name))
            except OSError as error:
                # A folder that is away for a moment must not take down what is loaded.
                _LOG.warning("models can't be looked for, what is loaded stays: %s", error)

    def _poll_forever(self) -> None:
        while not self._stopping.wait(self._loading.poll_interval_s):
            try:
                self.poll()
            except Exception:
                # Whatever it is, the next version must still be found.
                _LOG.exception("models can't be looked for, what is loaded stays")

    def _align(self, name: str, config: ModelConfig | None) -> None:
        """Loads the versions wanted, then unloads the others; those stay while none of the wanted can be loaded."""
        try:
            on_disk = {} if config is None else version_dirs(config.base_path)
        except OSError as error:
            self._tell_once(name, f"versions can't be looked for, what is loaded stays: {error}")
            return
        self._tell_once(name, "")
        wanted = set() if config is None else config.policy.choose(on_disk)
        # The newest first: the moment it is there, requests for the latest go to it.
        loaded = [self._available(name, number, on_disk[number]) for number in sorted(wanted, reverse=True)]
        if wanted and not any(loaded):
            return
        for version in list(self._models.get(name, {}).values()):
            if version.number not in wanted:
                self._unload(name, version)
        self._forget(name)

    def _available(self, name: str, number: int, path: Path) -> bool:
        """Loads a version unless it is there; says whether it is now."""
        version = self._known(name, number, path)
        return version.state is State.AVAILABLE or self._load(name, version)

    def _known(self, name: str, number: int, path: Path) -> Version:
        with self._lock:
            return self._models.setdefault(name, {}).setdefault(number, Version(number, path))

    def _load(self, name: str, version: Version) -> bool:
        """Loads a version unless its last failure is too fresh; says whether it is available now."""
        if time.monotonic() < version.retry_at and not version.changed_since_failure():
            return False
        version.state, version.stamp = State.LOADING, stamp_of(version.path)
        self._changed()
        try:
            version.serve(self._opened(name, version))
        except Exception as error:
            # Whatever is in a folder, it is that folder's fault, and the others are served.
            self._report_failure(name, version, error)
            return False
        finally:
            self._changed()
        _LOG.info("%s version %d: available", name, version.number)
        return True

    def _opened(self, name: str, version: Version) -> Servable:
        """The servable of a version, warm."""
        return open_warm(version.path, open_version=self._loading.open_version)

    def _changed(self) -> None:
        """Something of what is told of models and versions has changed; called by the thread that changed it."""

    def _report_failure(self, name: str, version: Version, error: Exception) -> None:
        version.attempts += 1
        wait_s = self._loading.retry_after_s(version.attempts)
        version.retry_at = time.monotonic() + wait_s
        version.error, version.state = str(error) or type(error).__name__, State.END
        again = "not tried again" if math.isinf(wait_s) else f"next try in {wait_s:.0f} s"
        _LOG.error("%s version %d can't be loaded, %s: %s", name, version.number, again, version.error)

    def _tell_once(self, name: str, trouble: str) -> None:
        """Logs what is wrong with a model's folder, unless that was the last thing said of it."""
        if trouble and self._troubles.get(name) != trouble:
            _LOG.warning("%s: %s", name, trouble)
        self._troubles[name] = trouble

    def _unload(self, name: str, version: Version) -> None:
        if version.state is State.AVAILABLE:
            version.unload()
            self._changed()
            _LOG.info("%s version %d: unloaded", name, version.number)

    def _forget(self, name: str) -> None:
        """Drops the oldest of the versions that are over, so that the list of a busy model stays short."""
        with self._lock:
            known = self._models.get(name, {})
            ended = sorted(number for number, version in known.items() if version.state is State.END)
            for number in ended[:-_ENDED_KEPT]:
                del known[number]


def models_below(model_root: Path) -> Source:
    """Every model below a folder of <name>/<version>/ folders, looked up each time anew.

    Raises:
        ServeError: the root is not a folder.
    """
    if not model_root.is_dir():
        raise ServeError(
            f"{model_root} must be a folder of <model>/<version>/ folders. "
            f"Received: {'a file' if model_root.exists() else 'no such folder'}. Push a model there first."
        )
    return lambda: [
        ModelConfig(child.name, child)
        for child in model_root.iterdir()
        if MODEL_NAME.fullmatch(child.name) and child.is_dir() and child.resolve().parent == model_root.resolve()
    ]


def open_warm(version_dir: Path, *, open_version: Callable[[Path], Servable]) -> Servable:
    """Loads a version folder that may hold anything, and has it answer its own warm-up requests.

    Raises:
        ServeError: as `load` and `warm_up`; what was loaded is closed again.
    """
    servable = load(version_dir, open_version=open_version)
    try:
        warm_up(servable, version_dir)
    except BaseException:
        servable.close()
        raise
    return servable
