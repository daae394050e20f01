"""Where the provider comes from: the registry when it can be reached, else the local schema."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from terraform_check import schema
from terraform_check.provider import ADDRESS, serving
from terraform_check.registry import VARIABLE, choose
from terraform_check.roots import used_types

_MARKER: Final = """#!/bin/sh
echo "This marks a version for terraform init; infra/check serves the schema itself." >&2
exit 1
"""


@dataclass(frozen=True)
class Source:
    """Environments for `terraform init` and for everything after it."""

    name: str
    shared_cache: bool
    init: dict[str, str]
    after: dict[str, str]


@contextmanager
def source(folder: Path, cache: Path) -> Iterator[Source]:
    """The provider for all of a folder. ROADWORTHY_PROVIDER=local or =registry decides; else the network does.

    Raises:
        ValueError: the variable has another value.
    """
    real, why = choose(os.environ.get(VARIABLE, ""))
    if real:
        yield _from_registry(cache, why)
        return
    known = schema.load(used_types(folder), cache=cache)
    with serving(known) as attach:
        name = f"hashicorp/google {known['version']} by its schema, served here ({why})"
        mirror = {"TF_CLI_CONFIG_FILE": str(_mirror(known["version"], cache))}
        yield Source(name, False, mirror, mirror | attach)


def _from_registry(cache: Path, why: str) -> Source:
    plugins = cache / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    shared = {"TF_PLUGIN_CACHE_DIR": str(plugins), "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1"}
    return Source(f"hashicorp/google itself, from the registry ({why})", True, shared, shared)


def _mirror(version: str, cache: Path) -> Path:
    """A mirror that offers just this version, so that init holds every version constraint against it."""
    mirror = cache / "mirror"
    marker = mirror / ADDRESS / version / "linux_amd64" / f"terraform-provider-google_v{version}"
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.write_text(_MARKER)
    marker.chmod(0o755)
    config = cache / "local.tfrc"
    config.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
    return config
