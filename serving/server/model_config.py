"""Which models a server has, and which of their versions: TF Serving's `ModelServerConfig`, as frozen values."""

import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from roadworthy.serving import protos
from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.text_proto import read_text_proto
from roadworthy.serving.status import RequestError

_LOG: Final = logging.getLogger(__name__)
_PLATFORM: Final = "tensorflow"
_COLLECTOR: Final = "file"


class VersionPolicy(Protocol):
    """Chooses the versions to serve of those that are there."""

    def choose(self, present: Collection[int]) -> set[int]:
        """The versions to serve, all of them present."""
        ...


@dataclass(frozen=True)
class Latest:
    """The `count` highest versions."""

    count: int = 1

    def choose(self, present: Collection[int]) -> set[int]:
        """The highest versions."""
        return set(sorted(present)[-self.count :])


@dataclass(frozen=True)
class All:
    """Every version."""

    def choose(self, present: Collection[int]) -> set[int]:
        """All of them."""
        return set(present)


@dataclass(frozen=True)
class Specific:
    """The versions named."""

    versions: frozenset[int]

    def choose(self, present: Collection[int]) -> set[int]:
        """Those named that are present."""
        return set(self.versions & set(present))


@dataclass(frozen=True)
class Logging:
    """Which requests of a model are logged, and where.

    Attributes:
        prefix: path the files' names begin with.
        rate: share of the requests, in (0, 1].
    """

    prefix: Path
    rate: float


@dataclass(frozen=True)
class ModelConfig:
    """One model.

    Attributes:
        name: what clients ask for.
        base_path: folder of <version>/ folders.
        policy: which versions are served.
        labels: version by label, another way for clients to name one.
        logging: which of its requests are logged; None is none.
    """

    name: str
    base_path: Path
    policy: VersionPolicy = Latest()
    labels: Mapping[str, int] = field(default_factory=dict)
    logging: Logging | None = None


class ConfigFile:
    """A file of models as a manager's source; read again when it changes, kept as it was when it can't be read then."""

    def __init__(self, path: Path, *, poll_interval_s: float) -> None:
        """Reads the file.

        Args:
            path: a `ModelServerConfig` in protobuf's text format.
            poll_interval_s: seconds between two looks at the file; 0 never looks again.

        Raises:
            ServeError: as `read_config_file`.
        """
        self._path = path
        self._poll_interval_s = poll_interval_s
        self._configs = read_config_file(path)
        self._read_at = time.monotonic()
        self._trouble = ""

    def __call__(self) -> tuple[ModelConfig, ...]:
        """The models as the file last said it."""
        if self._poll_interval_s and time.monotonic() >= self._read_at + self._poll_interval_s:
            self._read_at = time.monotonic()
            try:
                self._configs, self._trouble = read_config_file(self._path), ""
            except ServeError as error:
                if str(error) != self._trouble:
                    _LOG.error("the models stay as they were: %s", error)
                self._trouble = str(error)
        return self._configs


def read_config_file(path: Path) -> tuple[ModelConfig, ...]:
    """Reads a `ModelServerConfig` in protobuf's text format.

    Raises:
        ServeError: the file can't be read, is no such message, or names models that can't be served together.
    """
    message = read_text_proto(path, protos.ModelServerConfig)
    try:
        return read_config(message)
    except RequestError as error:
        raise ServeError(f"{path}: {error}") from error


def read_asked_config(message: Any, *, prefixes: Collection[Path]) -> tuple[ModelConfig, ...]:
    """The models of a `ModelServerConfig` that a client sends: it may keep request logging as it is, and move none.

    Args:
        message: the config.
        prefixes: where requests are logged now.

    Raises:
        RequestError: as `read_config`; PERMISSION_DENIED, requests are to be logged elsewhere.
    """
    configs = read_config(message)
    for config in configs:
        if config.logging is not None and config.logging.prefix not in prefixes:
            raise RequestError(
                f"filename_prefix of {config.name} must be one of the server's own config file, since no client may "
                f"choose where the server writes. Received: {config.logging.prefix}.",
                code="PERMISSION_DENIED",
            )
    return configs


def read_config(message: Any) -> tuple[ModelConfig, ...]:
    """The models of a `ModelServerConfig` message.

    Raises:
        RequestError: INVALID_ARGUMENT, no list of models, a name twice, a relative path or another platform, or
            request logging that can't be done.
    """
    if message.WhichOneof("config") not in (None, "model_config_list"):
        raise RequestError("ModelServerConfig must have a model_config_list. Received: a custom_model_config.")
    configs = tuple(_model(model) for model in message.model_config_list.config)
    names = [config.name for config in configs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RequestError(f"Illegal to list model {twice[0]} multiple times in config list")
    return configs


def _model(message: Any) -> ModelConfig:
    if not message.name:
        raise RequestError("A model in a config list must have a name. Received: none.")
    if message.model_platform not in ("", _PLATFORM):
        raise RequestError(
            f"model_platform of {message.name} must be {_PLATFORM}. Received: {message.model_platform}.",
        )
    path = Path(message.base_path)
    if not path.is_absolute() or "\0" in message.base_path:
        raise RequestError(
            f"Expected model {message.name} to have an absolute path or URI; got base_path()={message.base_path}"
        )
    return ModelConfig(message.name, path, _policy(message), dict(message.version_labels), _logging(message))


def _logging(message: Any) -> Logging | None:
    """The request logging of a model; upstream leaves the collectors to its users, ours writes TFRecord files."""
    rate = message.logging_config.sampling_config.sampling_rate
    collector = message.logging_config.log_collector_config
    if not 0 <= rate <= 1:
        raise RequestError(f"sampling_rate of {message.name} must be in [0, 1]. Received: {rate:g}.")
    if not rate:
        return None
    if collector.type not in ("", _COLLECTOR):
        raise RequestError(f'The log collector of {message.name} must be "{_COLLECTOR}". Received: {collector.type}.')
    prefix = Path(collector.filename_prefix)
    if not prefix.is_absolute() or not prefix.name:
        raise RequestError(
            f"filename_prefix of {message.name} must be an absolute path. Received: {collector.filename_prefix!r}."
        )
    return Logging(prefix, rate)


def _policy(message: Any) -> VersionPolicy:
    policy = message.model_version_policy
    match policy.WhichOneof("policy_choice"):
        case "all":
            return All()
        case "specific":
            if not policy.specific.versions:
                raise RequestError(f"The specific version policy of {message.name} must name versions. Received: none.")
            return Specific(frozenset(policy.specific.versions))
        case "latest" if policy.latest.num_versions:
            return Latest(policy.latest.num_versions)
    return Latest()
