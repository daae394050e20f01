"""What is served, as requests see it: versions to be held for a request, and what is told of them."""

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from roadworthy.serving.servables.base import Servable
from roadworthy.serving.server.model_config import Logging, ModelConfig
from roadworthy.serving.server.version import State, Version
from roadworthy.serving.status import RequestError

# Number, state and error of a version.
Told = tuple[int, State, str | None]


class Served(ABC):
    """The models of a server and their versions; who loads them is for others to say."""

    def __init__(self) -> None:
        self._configs: dict[str, ModelConfig] = {}
        self._models: dict[str, dict[int, Version]] = {}
        # Guards the dicts' shape; loads and unloads happen outside it, so requests never wait for them.
        self._lock = threading.Lock()

    @abstractmethod
    def reload_asked(self, message: Any) -> None:
        """Serves the models of a `ModelServerConfig` that a client sends, and no others; returns when that is so.

        Raises:
            RequestError: the config can't be had, or UNKNOWN, FAILED_PRECONDITION: something of it did not come about.
        """

    def models(self) -> list[str]:
        """The names of the models that are served, or should be."""
        with self._lock:
            return sorted(self._configs.keys() | self._models.keys())

    def at_once(self, name: str) -> int | None:
        """How many requests a model works on at a time, the most of its versions; None takes as many as come."""
        with self._lock:
            servables = [version.servable for version in self._models.get(name, {}).values()]
        limits = [servable.at_once for servable in servables if servable is not None]
        return None if None in limits else max(filter(None, limits), default=None)

    def is_available(self, name: str) -> bool:
        """Whether a model has a version that answers."""
        return any(state is State.AVAILABLE for _, state, _ in self._told(name))

    def all_available(self) -> bool:
        """Whether there are models to serve, and of every one a version that answers."""
        with self._lock:
            wanted = list(self._configs)
        return bool(wanted) and all(map(self.is_available, wanted))

    def logging_of(self, name: str) -> Logging | None:
        """What is logged of a model's requests, as its config has it."""
        config = self._configs.get(name)
        return None if config is None else config.logging

    def log_prefixes(self) -> set[Path]:
        """Where requests are logged, of all models."""
        return {config.logging.prefix for config in self._configs.values() if config.logging is not None}

    @contextlib.contextmanager
    def use(self, name: str, number: int | None = None, *, label: str | None = None) -> Iterator[tuple[int, Servable]]:
        """Holds a version for one request; it isn't unloaded meanwhile.

        Args:
            name: the model.
            number: its version; None is the latest available, or the label's.
            label: another way to name a version.

        Yields:
            The version's number and its servable.

        Raises:
            RequestError: NOT_FOUND, no such model or version is available; INVALID_ARGUMENT, no such label.
        """
        version, servable = self._enter(name, self._number(name, number, label))
        try:
            yield version.number, servable
        finally:
            version.leave()

    def use_spec(self, spec: Any) -> contextlib.AbstractContextManager[tuple[int, Servable]]:
        """`use` for a `ModelSpec` message.

        Raises:
            RequestError: as `use`; INVALID_ARGUMENT, the spec names no model.
        """
        return self.use(*_asked(spec), label=spec.version_label or None)

    def statuses_of_spec(self, spec: Any) -> list[Told]:
        """`statuses` for a `ModelSpec` message."""
        return self.statuses(*_asked(spec), label=spec.version_label or None)

    def statuses(self, name: str, number: int | None = None, *, label: str | None = None) -> list[Told]:
        """Number, state and error of a model's versions, newest first.

        Raises:
            RequestError: NOT_FOUND, no such model or version was ever seen; INVALID_ARGUMENT, no such label.
        """
        number = self._number(name, number, label)
        found = [told for told in self._told(name) if number in (None, told[0])]
        if not found:
            what = "any versions" if number is None else f"version {number}"
            raise RequestError(f"Could not find {what} of model {name}", code="NOT_FOUND")
        return found

    def _told(self, name: str) -> list[Told]:
        with self._lock:
            known = sorted(self._models.get(name, {}).values(), key=lambda version: -version.number)
        return [(version.number, version.state, version.error) for version in known]

    def _number(self, name: str, number: int | None, label: str | None) -> int | None:
        """The version that is asked for, by number or by label."""
        if label is None:
            return number
        with self._lock:
            config = self._configs.get(name)
        if config is None:
            raise RequestError(f"Servable not found for request: Latest({name})", code="NOT_FOUND")
        if label not in config.labels:
            raise RequestError(f"Unrecognized servable version label: {label}")
        return config.labels[label]

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


def _asked(spec: Any) -> tuple[str, int | None]:
    """Name and version of a model spec; None is the latest, or the label's."""
    if not spec.name:
        raise RequestError("Missing ModelSpec: model_spec.name must be the name of a model. Received: an empty one.")
    return spec.name, spec.version.value if spec.HasField("version") else None
