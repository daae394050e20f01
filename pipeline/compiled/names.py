"""Names in a compiled pipeline: Kubeflow's workflow engine takes letters, digits and dashes only."""

import re
from typing import Any

from roadworthy.serving.errors import ConfigError


def plain_name(node_id: str) -> str:
    """What a node is called in a compiled pipeline: `Compressor-int8` for `Compressor.int8`."""
    return re.sub("[^A-Za-z0-9_-]", "-", node_id)


def with_plain_names(spec: dict[str, Any]) -> dict[str, Any]:
    """A spec in which tasks, components and executors have plain names, wherever they are spoken of.

    Raises:
        ConfigError: two nodes would get the same name.
    """
    tasks = spec.get("root", {}).get("dag", {}).get("tasks", {})
    plain: dict[str, str] = {}
    for node_id in tasks:
        name = plain_name(node_id)
        if name in plain.values():
            raise ConfigError(f"compress.recipes must differ in more than a dash from a dot. Received: {name} twice.")
        plain[node_id] = name
    return _renamed(spec, plain)  # type: ignore[no-any-return]


def _renamed(value: Any, plain: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {_name(key, plain): _renamed(item, plain) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, plain) for item in value]
    return _name(value, plain) if isinstance(value, str) else value


def _name(text: str, plain: dict[str, str]) -> str:
    stem = text.removesuffix("_executor")
    return plain[stem] + text[len(stem) :] if stem in plain else text
