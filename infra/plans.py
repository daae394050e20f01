"""Keeps a plan of Terraform's beside the state under its own SHA-256 sum, so that what is applied is what was approved.

python infra/plans.py keep dev
python infra/plans.py fetch dev 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

A plan holds secrets as a state does: it is in a bucket of the same project, key and members, for seven days.
"""

import argparse
import hashlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from google.api_core.exceptions import GoogleAPICallError, NotFound, PreconditionFailed
from google.auth.exceptions import DefaultCredentialsError

_ENVIRONMENTS: Final = Path(__file__).parent / "envs"
_BUCKET: Final = re.compile(r'^ +bucket = "([^"]+)"$', re.MULTILINE)
_SUM: Final = re.compile(r"[0-9a-f]{64}")
_USER_FAULT: Final = 2
_CALL_S: Final = 60


class PlanError(Exception):
    """A plan that is not there, or not the one that was asked for."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Keeps or fetches an environment's plan, and prints its sum."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["keep", "fetch"])
    parser.add_argument("env", choices=sorted(path.name for path in _ENVIRONMENTS.iterdir()))
    parser.add_argument("sum", nargs="?", default="", help="of the plan to fetch, as keep printed it")
    given = parser.parse_args(arguments)
    try:
        keep(given.env) if given.action == "keep" else fetch(given.env, given.sum)
    except PlanError as error:
        return _stop(str(error))
    except DefaultCredentialsError:
        return _stop(
            "Credentials for Google Cloud must be there. Received: none.\n  gcloud auth application-default login"
        )
    except GoogleAPICallError as error:
        return _stop(f"Cloud Storage must let you at the plans. Received: {error.code} {error.message}")
    return 0


def _stop(message: str) -> int:
    print(f"plans: {message}", file=sys.stderr)
    return _USER_FAULT


def keep(env: str) -> None:
    """Puts the plan that tf-plan wrote away; a workflow gets its sum as an output named after the environment."""
    file = _file(env)
    if not file.is_file():
        raise PlanError(f"{file.name} must be there. Received: none.\n  Try: make tf-plan ENV={env}")
    data = file.read_bytes()
    total = hashlib.sha256(data).hexdigest()
    bucket = _bucket(env)
    try:
        bucket.blob(f"{total}.tfplan").upload_from_string(data, if_generation_match=0, timeout=_CALL_S)
    except PreconditionFailed:
        pass  # the same plan is there
    except NotFound as error:
        raise PlanError(_no_bucket(bucket)) from error
    if output := os.environ.get("GITHUB_OUTPUT"):
        with Path(output).open("a") as outputs:
            outputs.write(f"{env}={total}\n")
    print(f"tf-keep: gs://{bucket.name}/{total}.tfplan\ntf-keep: make tf-apply ENV={env} PLAN={total}")


def fetch(env: str, total: str) -> None:
    """Writes the plan of a sum where Terraform applies it from.

    Raises:
        PlanError: no plan has that sum, or what is kept under it has another.
    """
    if not _SUM.fullmatch(total):
        raise PlanError(f"PLAN must be the sum that make tf-keep ENV={env} printed. Received: {total or 'none'}.")
    bucket = _bucket(env)
    try:
        data = bucket.blob(f"{total}.tfplan").download_as_bytes(timeout=_CALL_S)
    except NotFound as error:
        raise PlanError(
            f"A plan must be in gs://{bucket.name}. Received: none of sum {total}.\n"
            f"  After seven days it is gone; plan again: make tf-plan tf-keep ENV={env}"
        ) from error
    if (found := hashlib.sha256(data).hexdigest()) != total:
        raise PlanError(f"The plan of sum {total} must have that sum. Received: {found}. Somebody has changed it.")
    with os.fdopen(os.open(_file(env), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)


def _file(env: str) -> Path:
    return _ENVIRONMENTS / env / f"{env}.tfplan"


def _bucket(env: str) -> Any:
    from google.cloud import storage

    state = _BUCKET.search((_ENVIRONMENTS / env / "backend.tf").read_text())
    if state is None:
        raise PlanError(f'infra/envs/{env}/backend.tf must name the state\'s bucket, as bucket = "…". Received: none.')
    return storage.Client(project="-").bucket(f"{state[1]}-plans")


def _no_bucket(bucket: Any) -> str:
    return f"The bucket {bucket.name} must be there. Received: none.\n  infra/bootstrap makes it: docs/guide/runbook.md"


if __name__ == "__main__":
    sys.exit(main())
