"""Where the provider comes from: the registry when it can be reached, else the local schema."""

import os
from collections.abc import Iterator, Mapping
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
    known = {name: schema.load(name, types, cache=cache) for name, types in used_types(folder).items()}
    versions = {name: each["version"] for name, each in known.items()}
    with serving(known) as attach:
        called = " and ".join(f"hashicorp/{name} {version}" for name, version in sorted(versions.items()))
        mirror = {"TF_CLI_CONFIG_FILE": str(_mirror(versions, cache))}
        yield Source(f"{called} by schema, served here ({why})", False, mirror, mirror | attach)


def _from_registry(cache: Path, why: str) -> Source:
    plugins = cache / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    shared = {"TF_PLUGIN_CACHE_DIR": str(plugins), "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1"}
    return Source(f"hashicorp/google and google-beta themselves, from the registry ({why})", True, shared, shared)


def _mirror(versions: Mapping[str, str], cache: Path) -> Path:
    """A mirror that offers just these versions, so that init holds every version constraint against them."""
    mirror = cache / "mirror"
    for name, version in versions.items():
        marker = mirror / ADDRESS.format(name) / version / "linux_amd64" / f"terraform-provider-{name}_v{version}"
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.write_text(_MARKER)
        marker.chmod(0o755)
    config = cache / "local.tfrc"
    config.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
    return config
