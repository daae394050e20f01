"""Renders every overlay of a folder and checks what comes out; a file of manifests is checked as it is.

python -m manifest_check infra/kubernetes/overlays
kubectl kustomize infra/kubernetes/overlays/cpu | python -m manifest_check -
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from manifest_check.guards import guard_faults
from manifest_check.relations import relation_faults
from manifest_check.schemas import schema_faults

_USER_FAULT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a line an overlay, and one for each fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="folder of overlays, or a file of manifests; - is stdin")
    given = parser.parse_args(arguments)
    overlays = _overlays(given.path)
    if not overlays:
        sys.stderr.write(
            f"{given.path} must hold <overlay>/kustomization.yaml, or be a file of manifests. Received: none.\n"
        )
        return _USER_FAULT
    faults = [_check(name, text) for name, text in overlays.items()]
    return int(any(faults))


def _check(name: str, text: str) -> bool:
    """Whether there are faults, which are printed."""
    try:
        manifests = [manifest for manifest in yaml.safe_load_all(text) if manifest is not None]
    except yaml.YAMLError as error:
        sys.stderr.write(f"{name}: must be YAML. Received: {error}\n")
        return True
    faults = [*_named_twice(manifests), *schema_faults(manifests)]
    # What has the wrong shape can't be followed from one to the other.
    faults = faults or [*relation_faults(manifests), *guard_faults(manifests)]
    for fault in faults:
        sys.stderr.write(f"{name}: {fault}\n")
    print(f"{name}: {len(manifests)} manifests, {len(faults)} faults")
    return bool(faults)


def _named_twice(manifests: Sequence[Any]) -> list[str]:
    names = [f"{one.get('kind')}/{one.get('metadata', {}).get('name')}" for one in manifests if isinstance(one, dict)]
    return [
        f"{name} must be there once. Received: twice or more."
        for name in sorted({n for n in names if names.count(n) > 1})
    ]


def _overlays(path: Path) -> dict[str, str]:
    if str(path) == "-":
        return {"stdin": sys.stdin.read()}
    if path.is_file():
        return {path.name: path.read_text()}
    folders = sorted(file.parent for file in path.glob("*/kustomization.yaml"))
    return {folder.name: _render(folder) for folder in folders}


def _render(folder: Path) -> str:
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(f"{folder} must be rendered by kubectl kustomize. Received: {done.stderr.strip()}\n")
        raise SystemExit(1)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
