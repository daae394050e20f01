"""A compiled pipeline as a file."""

import json
from pathlib import Path
from typing import Any

import yaml

from roadworthy.serving.errors import ConfigError


def spec_text(spec: dict[str, Any], platform: dict[str, Any], *, as_json: bool = False) -> str:
    """The documents of a compiled pipeline: YAML as KFP's compiler writes it, or the spec alone as JSON."""
    if as_json:
        return json.dumps(spec, indent=2, sort_keys=True) + "\n"
    return yaml.safe_dump_all([spec, platform] if platform else [spec], sort_keys=True, width=120, allow_unicode=True)


def check_file(path: Path) -> None:
    """Refuses a file that a compiled pipeline can't be written to, before the long work of compiling one.

    Raises:
        ConfigError: another ending than .yaml, .yml or .json, or a folder that is not there.
    """
    if path.suffix not in (".yaml", ".yml", ".json"):
        raise ConfigError(f"A compiled pipeline must be a .yaml, .yml or .json file. Received: {path}.")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"{path} must be in a folder that is there. Received: none of that name.")


def write_spec(path: Path, spec: dict[str, Any], platform: dict[str, Any]) -> None:
    """Writes a compiled pipeline, whole or not at all.

    Raises:
        ConfigError: as `check_file`; Kubernetes settings in JSON, or no access to the file.
    """
    check_file(path)
    if path.suffix == ".json" and platform:
        raise ConfigError(f"A pipeline with settings for Kubernetes must be a .yaml file. Received: {path}.")
    aside = path.with_name(f".{path.name}.writing")
    try:
        aside.write_text(spec_text(spec, platform, as_json=path.suffix == ".json"))
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise ConfigError(f"{path} must be a file that can be written. Received: {error.strerror}.") from error
