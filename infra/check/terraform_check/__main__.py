"""Formats, initialises, validates and tests every Terraform root below a folder, in a copy of it.

    python -m terraform_check infra

Nothing is written into the folder: .terraform, lock files and state stay in the copy.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from terraform_check.roots import find
from terraform_check.source import Source, source

_USER_FAULT: Final = 2
_COPIED: Final = ("*.tf", "*.hcl", "*.json", "*.tftpl", "*.tfvars")


@dataclass(frozen=True)
class Result:
    """What Terraform said of one root; `fault` is None where nothing was wrong."""

    root: Path
    tests: int
    seconds: float
    fault: str | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a line a root and Terraform's words where it found a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".cache/terraform"))
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args(arguments)
    if not shutil.which("terraform"):
        return _stop(
            "Terraform 1.11 or newer must be on PATH. Received: none.\n  developer.hashicorp.com/terraform/install"
        )
    roots = find(given.folder)
    if not roots:
        return _stop(f"{given.folder} must hold a folder with a versions.tf. Received: none.")
    try:
        results = [_format(given.folder), *check(given.folder, roots, cache=given.cache.resolve(), jobs=given.jobs)]
    except ValueError as error:
        return _stop(str(error))
    faults = [each for each in results if each.fault]
    tests = sum(each.tests for each in results)
    print(f"terraform: {len(roots)} roots, {tests} tests, {len(faults)} with faults")
    return int(bool(faults))


def check(folder: Path, roots: Sequence[Path], *, cache: Path, jobs: int) -> list[Result]:
    """Runs init, validate and test in a copy of each root, several at a time; says so as each is done."""
    copy = cache / "copy" / str(os.getpid())
    try:
        _copy(folder, copy)
        with source(folder, cache) as provider, ThreadPoolExecutor(jobs) as pool:
            print(f"terraform: {provider.name}", flush=True)
            alone = 1 if provider.shared_cache else 0  # the first fills the cache of plugins, which takes one writer
            done = [_run(root, copy / root.relative_to(folder), provider) for root in roots[:alone]]
            rest = pool.map(lambda root: _run(root, copy / root.relative_to(folder), provider), roots[alone:])
            return [*done, *rest]
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def _copy(folder: Path, copy: Path) -> None:
    for pattern in _COPIED:
        for file in folder.rglob(pattern):
            if ".terraform" in file.parts or file.name == ".terraform.lock.hcl":
                continue
            target = copy / file.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def _format(folder: Path) -> Result:
    started = time.monotonic()
    ran = _terraform(folder, ["fmt", "-check", "-recursive", "-diff"], {})
    fault = None if ran.returncode == 0 else f"{ran.stdout}{ran.stderr}\nterraform fmt -recursive {folder}"
    return _said(Result(folder / "**", 0, time.monotonic() - started, fault))


def _run(root: Path, copy: Path, provider: Source) -> Result:
    started, tests = time.monotonic(), 0
    steps = [
        (["init", "-backend=false", "-input=false"], provider.init),
        (["validate"], provider.after),
        (["test"], provider.after),
    ]
    for arguments, environment in steps:
        ran = _terraform(copy, arguments, environment)
        if ran.returncode:
            return _said(Result(root, 0, time.monotonic() - started, f"{ran.stdout}{ran.stderr}".strip()))
        if arguments == ["test"]:
            tests = sum(int(count) for count in re.findall(r"(\d+) passed", ran.stdout))
    fault = None if tests else "no test in it ran; every root must have a tests/*.tftest.hcl."
    return _said(Result(root, tests, time.monotonic() - started, fault))


def _terraform(folder: Path, arguments: Sequence[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["terraform", f"-chdir={folder}", *arguments, "-no-color"],
        env={**os.environ, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", **environment},
        text=True,
        capture_output=True,
        check=False,
    )


def _said(result: Result) -> Result:
    print(
        f"  {'FAULT' if result.fault else 'ok':5} {result.root}  {result.tests} tests  {result.seconds:.1f} s",
        flush=True,
    )
    if result.fault:
        print(result.fault, flush=True)
    return result


def _stop(message: str) -> int:
    print(f"terraform_check: {message}", file=sys.stderr)
    return _USER_FAULT


if __name__ == "__main__":
    sys.exit(main())
