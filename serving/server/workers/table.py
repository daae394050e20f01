"""What the supervisor tells its workers of models and versions, as plain values that JSON holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from roadworthy.serving.server.model_config import Logging, ModelConfig
from roadworthy.serving.server.served import Told
from roadworthy.serving.server.version import State


@dataclass(frozen=True)
class Table:
    """The models of a server as clients are told of them.

    Attributes:
        configs: by name; of the policies, which only the supervisor applies, the workers are told nothing.
        versions: number, state and error of each model's versions, newest first.
    """

    configs: Mapping[str, ModelConfig] = field(default_factory=dict)
    versions: Mapping[str, Sequence[Told]] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """The same as lists, texts and numbers."""
        return {
            "configs": [_plain_config(config) for config in self.configs.values()],
            "versions": {
                name: [[number, state.value, error] for number, state, error in told]
                for name, told in self.versions.items()
            },
        }

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> "Table":
        """What `plain` gave, come back as JSON."""
        configs = [_config(*of_one) for of_one in plain["configs"]]
        versions = {
            name: [(number, State(state), error) for number, state, error in told]
            for name, told in plain["versions"].items()
        }
        return cls({config.name: config for config in configs}, versions)


def _plain_config(config: ModelConfig) -> list[Any]:
    logging = config.logging and [str(config.logging.prefix), config.logging.rate]
    return [config.name, str(config.base_path), dict(config.labels), logging]


def _config(name: str, base_path: str, labels: Mapping[str, int], logging: Sequence[Any] | None) -> ModelConfig:
    of_requests = Logging(Path(logging[0]), logging[1]) if logging is not None else None
    return ModelConfig(name, Path(base_path), labels=labels, logging=of_requests)
