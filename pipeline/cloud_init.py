"""Writes the cloud section of a run's YAML file from what Terraform made; the rest of the file stays as it is."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from roadworthy.pipeline.cloud_config import CloudSettings
from roadworthy.pipeline.yaml_slip import NO_VALUE, slip
from roadworthy.serving.errors import ConfigError, DeployError

OUTPUT: Final = "cloud"
_PATIENCE_S: Final = 120


def cloud_outputs(environment: Path) -> dict[str, Any]:
    """What an environment's output `cloud` holds, checked as the section of a config.

    Args:
        environment: an initialised Terraform root that was applied, such as infra/envs/dev.

    Raises:
        DeployError: the folder or Terraform is not there, Terraform refuses, or there is no fitting output.
    """
    if not environment.is_dir():
        raise DeployError(f"--from-terraform must be a folder with a Terraform root. Received: {environment}.")
    outputs = _terraform_output(environment)
    if OUTPUT not in outputs:
        found = ", ".join(sorted(outputs)) or "none, as before the first terraform apply"
        raise DeployError(f"{environment} must have been applied and have an output named {OUTPUT}. Received: {found}.")
    section: dict[str, Any] = outputs[OUTPUT]["value"]
    check_section(section, where=f"the output {OUTPUT} of {environment}")
    return {key: section[key] for key in CloudSettings.model_fields if key in section}


def check_section(section: Any, *, where: str) -> None:
    """Holds a section against the config's rules.

    Raises:
        ConfigError: it breaks one; each is named.
    """
    try:
        CloudSettings.model_validate(section)
    except ValidationError as error:
        faults = [f"{'.'.join(('cloud', *map(str, fault['loc'])))}: {fault['msg']}" for fault in error.errors()]
        raise ConfigError(f"{where} must be a config's cloud section. Received:\n  " + "\n  ".join(faults)) from error


def with_cloud_section(text: str, section: dict[str, Any]) -> str:
    """A config's text with the section's keys in its `cloud`; other keys there stay, comments there do not.

    Labels are added to those there are. Where Beam runs on something else than the section's runner, it stays there.

    Raises:
        ConfigError: the text is not a YAML mapping, or has a cloud that is none.
    """
    lines, keys = text.splitlines(keepends=True), _top_keys(text)
    known: dict[str, Any] = {}
    start = end = len(lines)
    if OUTPUT in keys:
        try:
            known = yaml.safe_load(text)[OUTPUT] or {}
        except NO_VALUE as error:
            raise ConfigError(f"the config{slip(error)}") from None
        if not isinstance(known, dict):
            raise ConfigError(f"line {keys[OUTPUT] + 1}: cloud must hold keys and values. Received: {known!r}.")
        start = keys[OUTPUT]
        end = _last_line(lines, start, min((line for line in keys.values() if line > start), default=len(lines)))
    merged = _merged(known, section)
    check_section(merged, where="the config's cloud with what Terraform made")
    written = yaml.safe_dump({OUTPUT: merged}, sort_keys=False, allow_unicode=True, width=120)
    before = "".join(lines[:start])
    return before + ("" if not before or before.endswith("\n") else "\n") + written + "".join(lines[end:])


def write_whole(path: Path, text: str) -> None:
    """Replaces a file, or what a link leads to: written aside, then renamed, with the permissions it had."""
    path = path.resolve()
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        shutil.copymode(path, aside)
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def _terraform_output(environment: Path) -> dict[str, Any]:
    command = ["terraform", f"-chdir={environment}", "output", "-json", "-no-color"]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_PATIENCE_S)  # noqa: S603
    except FileNotFoundError:
        raise DeployError(
            "terraform must be on PATH. Received: none. "
            "Install 1.11 or newer: developer.hashicorp.com/terraform/install."
        ) from None
    except subprocess.TimeoutExpired:
        raise DeployError(f"terraform output must answer within {_PATIENCE_S} s. Received: nothing.") from None
    if done.returncode:
        raise DeployError(
            f"terraform output must work in {environment}. Received:\n{done.stderr.strip()}\n"
            f"Try: terraform -chdir={environment} init"
        )
    outputs: dict[str, Any] = json.loads(done.stdout)
    return outputs


def _merged(known: dict[str, Any], section: dict[str, Any]) -> dict[str, Any]:
    merged = known | section
    labels, beam, made = known.get("labels"), known.get("beam"), section.get("beam")
    if isinstance(labels, dict):
        merged["labels"] = labels | section.get("labels", {})
    if isinstance(beam, dict) and made:
        merged["beam"] = _merged_beam(beam, made) if beam.get("runner") == made["runner"] else beam
    return merged


def _merged_beam(known: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    """The options that Terraform knows of replace those of the same name; the user's others stay."""
    options = list(made.get("options", ()))
    names = {option.partition("=")[0] for option in options}
    kept = [option for option in known.get("options") or () if str(option).partition("=")[0] not in names]
    return known | made | {"options": options + kept}


def _top_keys(text: str) -> dict[str, int]:
    """The line of each key, counted from 0."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"the config{slip(error)}") from None
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        raise ConfigError("the config must hold one key a line, such as 'name: fashion'. Received: other YAML.")
    return {key.value: key.start_mark.line for key, _ in root.value}


def _last_line(lines: list[str], start: int, following: int) -> int:
    """Where a key's lines end: blank ones and comments above the next key belong to that."""
    while following > start + 1 and (not lines[following - 1].strip() or lines[following - 1].startswith("#")):
        following -= 1
    return following
